/** Handlers of the live test's Dags; see dags/live.py for what they meet there. */

import { Dag, DagRegistry, serveDags } from "apache-airflow-ts-sdk";
import { unmapped, withObjectStorage } from "stowage/airflow";
import { inline, throughAdapter } from "./speed.mjs";

const rows = (start) => Array.from({ length: 4500 }, (_, i) => row(start + i));
const row = (id) => ({ id, name: `row ${id} ü`, value: id * 1.5 });
const noon = new Date("2026-11-21T12:00:00Z");
const BASE = process.env.AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH;

/** What a call gives, or the code of its error. */
async function outcome(call) {
  try {
    return await call();
  } catch (error) {
    return `${error.code ?? error.name}: ${error.detail ?? error.message}`;
  }
}

async function read({ client }) {
  const { rows: list, when, tags, kind } = await client.getXCom({ key: "return_value", taskId: "py_big" });
  const raw = {};
  for (const key of ["prose", "other_base", "other_connection", "missing", "foreign", "corrupt", "truncated"])
    raw[key] = await outcome(() => client.getXCom({ key, taskId: "py_raw" }));
  const small = await client.getXCom({ key: "return_value", taskId: "py_small" });
  const nothing = await client.getXCom({ key: "nothing", taskId: "py_small" });
  return { big: { kind, rows: list.length, last: list.at(-1), when, tags: [...tags] }, small, nothing, raw };
}

async function write({ client }) {
  const set = (key, value) => client.setXCom({ key, value });
  await set("small", { n: 1 });
  await set("date", noon);
  await set("set", new Set(["x"]));
  await set("huge", 2n ** 70n);
  await set("odd", [Number.NaN, Number.POSITIVE_INFINITY, -0]);
  await set("lookalike", `${BASE}/my notes`);
  await set("a key/é", "k".repeat(2000));
  await set("doomed", "d".repeat(2000));
  await set("nothing", null);
  const nested = JSON.parse("[".repeat(200) + "]".repeat(200));
  const refused = {
    bytes: await outcome(() => set("bytes", new Uint8Array(3))),
    half: await outcome(() => set("half", "\ud800")),
    deep: await outcome(() => set("deep", nested)),
    function: await outcome(() => set("function", () => 1)),
  };
  return { rows: rows(100), when: noon, refused };
}

/** As where the settings are in airflow.cfg only: none of them in the environment. */
async function options({ client }) {
  console.log(`OPTIONS ${await outcome(() => unknownConnection({ client }))}`);
  return { pad: "o".repeat(5000) };
}
const optioned = withObjectStorage(options, { env: {}, path: BASE, threshold: 1000 });

async function unknownConnection({ client }) {
  const path = "s3://nobody@bucket/xcom";
  const ctx = { dagId: "d", runId: "r", taskId: "t", mapIndex: -1, signal: new AbortController().signal };
  const big = withObjectStorage(() => "x".repeat(100), { env: {}, path, threshold: 10, log: () => {} });
  return big({ ctx, client });
}

async function mapped({ ctx, client }) {
  const item = await client.getXCom({ key: "return_value", taskId: "py_item" });
  const trap = await client.getXCom({ key: "return_value", taskId: "py_plain" });
  const plain = await client.getXCom(unmapped({ key: "return_value", taskId: "py_plain" }));
  return { i: item.i * 10, trap, plain: plain.plain.length, pad: String(ctx.mapIndex).repeat(5000) };
}

async function retry({ ctx, client }) {
  const before = await client.getXCom({ key: "mine" });
  await client.setXCom({ key: "mine", value: { attempt: ctx.tryNumber, pad: "r".repeat(5000) } });
  if (ctx.tryNumber === 1) throw new Error("the first attempt fails on purpose");
  console.log(`RETRY before=${before}`);
  return { attempt: ctx.tryNumber, pad: "r".repeat(5000) };
}

async function abort({ ctx, client }) {
  ctx.signal.addEventListener("abort", () => console.log(`ABORT ${ctx.signal.reason.message}`));
  for (let i = 0; ; i++) {
    const failure = await outcome(() => client.setXCom({ key: `part${i}`, value: { i, pad: rows(i) } }));
    if (failure === undefined) continue;
    console.log(`ABORTED ${failure}`);
    return "a value that must not be stored".repeat(100);
  }
}

const HANDLERS = {
  live_mixed: { ts_read: withObjectStorage(read), ts_write: withObjectStorage(write), ts_options: optioned },
  live_mapped: { ts_mapped: withObjectStorage(mapped) },
  live_retry: { ts_retry: withObjectStorage(retry) },
  live_abort: { ts_abort: withObjectStorage(abort) },
  live_speed: { ts_adapter: throughAdapter },
  live_inline: { ts_inline: inline },
};
const dags = Object.entries(HANDLERS).map(([dagId, handlers]) => {
  const dag = new Dag(dagId);
  for (const [taskId, handler] of Object.entries(handlers)) dag.task(taskId, handler);
  return dag;
});
await serveDags(new DagRegistry(...dags));
