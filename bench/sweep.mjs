/**
 * What a sweep of many objects costs: `npm run build && node --expose-gc bench/sweep.mjs 1000000`. A driver makes up the
 * pages of a bucket, and a source as many references in an order that is none of the keys, so that all are sorted on
 * disk. Nothing of either is in memory. `--sorted` gives the references in order, as a database with the collation "C"
 * does; `--shard=1/4` takes a part; `--orphans=0.1` is the share without a reference. The driver deletes as S3 does: a page
 * is listed again, and what is still there goes in one request for each thousand.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openStorage } from "../dist/index.js";
import { sweep } from "../dist/xcom.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sorted: { type: "boolean", default: false },
    orphans: { type: "string", default: "0.1" },
    shard: { type: "string", default: "1/1" },
  },
});
const counts = positionals.length > 0 ? positionals.map(Number) : [1_000_000];
const share = Number(values.orphans);
const [index, of] = values.shard.split("/").map(Number);

const TEMPORARY = tmpdir();
const PAGE = 1000;
/** Objects of a run, and of a Dag: the folders of a listing with a delimiter. */
const [RUN, DAG] = [10, 10_000];
const OLD = new Date(Date.now() - 30 * 86_400_000);
const two = (n, digits) => String(n).padStart(digits, "0");

/** About 110 characters, as those of Airflow. */
function keyOf(i) {
  const uuid = `${two((i * 2654435761) % 2 ** 32, 10).slice(0, 8)}-0000-4000-8000-${two(i, 12)}`;
  return `xcom/dag_${two(Math.floor(i / DAG), 6)}/scheduled__${two(Math.floor(i / RUN), 9)}/extract_${i % RUN}/write-${uuid}/return_value.json`;
}

/** A bucket of `count` objects that exist only in the pages of its listing. */
function bucketOf(count, tally) {
  const refuse = async () => {
    throw new Error("the simulation has no such request");
  };
  const entry = (i) => ({ key: keyOf(i), type: "file", size: 50_000, modified: OLD, etag: `"${two(i, 32)}"` });
  return {
    attributes: [],
    attributesOnCopy: [],
    codeOf: () => "Unavailable",
    close: async () => {},
    async *list(prefix, { delimiter, startAfter }) {
      const dag = /^xcom\/dag_(\d+)\//.exec(prefix)?.[1];
      const [first, to] =
        dag === undefined ? [0, count] : [Number(dag) * DAG, Math.min(count, (Number(dag) + 1) * DAG)];
      // It begins with the object whose name follows.
      const from = startAfter === undefined ? first : Number(/-(\d{12})\/[^/]*$/.exec(startAfter)?.[1] ?? first);
      const step = delimiter === undefined ? 1 : DAG;
      for (let start = from; start < to; start += PAGE * step) {
        tally[startAfter === undefined ? "pages" : "again"] += 1;
        const page = [];
        for (let i = start; i < Math.min(to, start + PAGE * step); i += step)
          page.push(
            step === 1 ? entry(i) : { key: keyOf(i).split("/").slice(0, 2).join("/") + "/", type: "directory" },
          );
        // As a request would: other work takes its turn.
        await new Promise((resolve) => setImmediate(resolve));
        yield page;
      }
    },
    async delete(objects) {
      tally.requests += 1;
      tally.deletes += objects.length;
    },
    ...{ stat: refuse, read: refuse, write: refuse, copy: refuse, setAttributes: refuse },
    ...{ signedUrl: refuse, signedPost: refuse },
  };
}

/** A prime that divides no number of objects here: multiples of it pass all of them in another order. */
const STRIDE = 7_368_787;

function referencesTo(count) {
  return {
    name: "simulated rows",
    async *references() {
      for (let n = 0; n < count; n++) {
        const i = values.sorted ? n : (n * STRIDE) % count;
        if (((i * 7919) % 1000) / 1000 >= share) yield { text: `sim://lake@bucket/${keyOf(i)}`, where: "" };
      }
    },
  };
}

function sizeOf(folder) {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, file) => {
    const path = join(folder, file.name);
    return sum + (file.isDirectory() ? sizeOf(path) : (statSync(path, { throwIfNoEntry: false })?.size ?? 0));
  }, 0);
}

async function measured(count) {
  const tally = { pages: 0, again: 0, requests: 0, deletes: 0, rss: 0, disk: 0 };
  const folder = mkdtempSync(join(TEMPORARY, "stowage-bench-"));
  process.env.TMPDIR = folder;
  const storage = openStorage({
    drivers: [{ schemes: ["sim"], open: () => bucketOf(count, tally) }],
    connections: { lake: { type: "generic" } },
  });
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  const watch = setInterval(() => {
    tally.rss = Math.max(tally.rss, process.memoryUsage.rss());
    tally.disk = Math.max(tally.disk, sizeOf(folder));
  }, 100);
  const begun = performance.now();
  try {
    const path = "sim://lake@bucket/xcom";
    const report = await sweep({ storage, path, sources: [referencesTo(count)], delete: true, shard: { index, of } });
    const seconds = (performance.now() - begun) / 1000;
    return { ...report, ...tally, seconds, growth: Math.max(0, tally.rss - before) };
  } finally {
    clearInterval(watch);
    rmSync(folder, { recursive: true, force: true });
    await storage.close();
  }
}

const mib = (bytes) => `${Math.round(bytes / 2 ** 20)} MiB`;
await measured(20_000);
console.log(
  "| objects | references | not referenced | pages | pages again | delete requests | seconds | RSS growth | disk |",
);
console.log("|---|---|---|---|---|---|---|---|---|");
for (const count of counts) {
  const { listed, references, orphaned, pages, again, requests, deletes, seconds, growth, disk } =
    await measured(count);
  if (deletes !== orphaned) throw new Error(`${orphaned} orphans, ${deletes} deletes`);
  const numbers = [listed, references, orphaned, pages, again, requests].map((n) => n.toLocaleString("en-US"));
  console.log(`| ${[...numbers, seconds.toFixed(1), mib(growth), mib(disk)].join(" | ")} |`);
}
