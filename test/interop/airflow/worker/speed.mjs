/** How fast values go through the adapter, and through the SDK alone. */
import { openStorage, XComObjectStorageBackend } from "stowage";
import { wrapTaskClient } from "stowage/airflow";

const MIB = 1024 * 1024;
/** Text that does not shrink much; the same in every run. */
function text(length) {
  let seed = 7;
  const words = Uint32Array.from({ length: length / 8 }, () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed;
  });
  return Buffer.from(words.buffer).toString("hex");
}

async function timed(work) {
  const begun = performance.now();
  const result = await work();
  return { ms: Math.round((performance.now() - begun) * 100) / 100, result };
}

/** Medians of 100 times a small value set and read: all of it, and the SDK's own part of it. */
async function small({ ctx, client }, backend) {
  const own = { time: 0 };
  const within = async (work) => {
    const { ms, result } = await timed(work);
    own.time += ms;
    return result;
  };
  const setXCom = (options) => within(() => client.setXCom(options));
  const getXCom = (options) => within(() => client.getXCom(options));
  const wrapped = wrapTaskClient({ ...client, setXCom, getXCom }, ctx, backend);
  const found = { sdk: [], stowage: [] };
  for (let n = 0; n < 100; n++) {
    own.time = 0;
    const { ms } = await timed(async () => {
      await wrapped.setXCom({ key: "small", value: { n } });
      await wrapped.getXCom({ key: "small" });
    });
    found.sdk.push(own.time);
    found.stowage.push(ms - own.time);
  }
  const median = (list) => list.sort((a, b) => a - b)[list.length / 2];
  return { sdk: median(found.sdk), stowage: median(found.stowage) };
}

export async function throughAdapter({ ctx, client }) {
  const storage = openStorage();
  const path = process.env.AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH;
  const backend = new XComObjectStorageBackend({ storage, path, threshold: 1000 });
  const wrapped = wrapTaskClient(client, ctx, backend);
  const value = text(64 * MIB);
  const found = { small: await small({ ctx, client }, backend) };
  const set = await timed(() => wrapped.setXCom({ key: "large", value }));
  const get = await timed(() => wrapped.getXCom({ key: "large" }));
  if (get.result !== value) throw new Error("the value has changed");
  console.log(`SPEED ${JSON.stringify({ ...found, large: { set: set.ms, get: get.ms } })}`);
  await storage.close();
}

/** The SDK gives up on a call after 30 s. What is read the test has put into the row. */
export async function inline({ ctx, client }) {
  const from = { dagId: "live_speed", runId: ctx.runId, taskId: "ts_adapter", key: "inline" };
  const attempt = (work) => timed(work).then(({ ms, result }) => ({ ms, length: result?.length }), told);
  const get = await attempt(() => client.getXCom(from));
  const set = await attempt(() => client.setXCom({ key: "large", value: text(64 * MIB) }));
  console.log(`SPEED ${JSON.stringify({ get, set })}`);
}

function told({ message }) {
  return { error: message };
}
