/**
 * What an XCom's JSON costs beside Node's own: `node bench/json.mjs [--mib=100] [--rounds=3] [--only=records]`.
 *
 * Stores and loads values whose text has about that size, in memory and without a codec, and compares the processor time
 * of this process with that of `JSON.stringify` and `Buffer.from`, and of `toString` and `JSON.parse`, in the same
 * rounds. `delay` is the longest time that the event loop was blocked; Node's own block it for as long as they take.
 */
import { parseArgs } from "node:util";
import { openStorage, XComObjectStorageBackend } from "../dist/index.js";

const MIB = 2 ** 20;
const { values: options } = parseArgs({
  options: {
    mib: { type: "string", default: "100" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
  },
});
const size = Number(options.mib) * MIB;

/** An array of what `make` returns whose text has about `size` bytes. */
function filled(make) {
  const each = JSON.stringify(Array.from({ length: 1000 }, (_, i) => make(i))).length / 1000;
  return Array.from({ length: Math.ceil(size / each) }, (_, i) => make(i));
}

const kinds = {
  records: (i) => ({
    id: i,
    name: `name-${i % 977}`,
    amount: (i * 7919) % 100_000,
    tags: ["a", "b"],
    paid: i % 2 === 0,
  }),
  strings: (i) => `line ${i}: the quick brown fox jumps over the lazy dog`,
  "strings beyond ASCII": (i) => `Zeile ${i}: „Größe“ über Straße, 東京`,
  floats: (i) => Math.sin(i) * 1000,
  "nested lists": (i) => [i, [i + 1, [i + 2, [i + 3, ["x", null, true]]]], []],
};

const owner = { dagId: "bench", runId: "run", taskId: "task" };

/** Milliseconds of processor time of `work`, its result, and the longest delay of the event loop meanwhile. */
async function timed(work) {
  globalThis.gc?.();
  let last = performance.now();
  let delay = 0;
  const look = () => {
    const now = performance.now();
    delay = Math.max(delay, now - last);
    last = now;
  };
  const timer = setInterval(look, 1);
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  clearInterval(timer);
  look();
  return { result, cpu: (user + system) / 1000, delay };
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function measured(value) {
  const storage = openStorage({ env: {} });
  const backend = new XComObjectStorageBackend({ storage, path: "memory://bench/xcom", threshold: 0 });
  const steps = { write: [], store: [], parse: [], load: [] };
  let bytes = 0;
  for (let round = 0; round < Number(options.rounds); round++) {
    const native = await timed(() => Buffer.from(JSON.stringify(value)));
    bytes = native.result.byteLength;
    steps.write.push(native);
    steps.parse.push(await timed(() => JSON.parse(native.result.toString())));
    native.result = undefined;
    const stored = await timed(() => backend.storeValue(owner, "return_value", value));
    steps.store.push(stored);
    steps.load.push(await timed(() => backend.loadValue(stored.result, { owner })));
    await backend.purge(stored.result, { owner });
    for (const step of Object.values(steps)) step.at(-1).result = undefined;
  }
  await storage.close();
  const cost = (step) => median(steps[step].map(({ cpu }) => cpu)) / (bytes / MIB);
  const delay = (step) => median(steps[step].map((one) => one.delay));
  return [
    ...[cost("write"), cost("store"), cost("store") / cost("write"), delay("store")],
    ...[cost("parse"), cost("load"), cost("load") / cost("parse"), delay("load")],
  ].map((number) => number.toFixed(1));
}

const heads = ["stringify", "store", "ratio", "delay", "parse", "load", "ratio", "delay"];
console.log(`ms of processor time a MiB, ${options.mib} MiB, medians of ${options.rounds}; delays in ms`);
console.log(["".padEnd(22), ...heads.map((head) => head.padStart(10))].join(""));
for (const [name, make] of Object.entries(kinds)) {
  if (!name.includes(options.only)) continue;
  const figures = await measured({ rows: filled(make) });
  console.log([name.padEnd(22), ...figures.map((figure) => figure.padStart(10))].join(""));
}
