/**
 * Time and memory of a report of a bucket and references that are made up, in the worst order. Needs a build.
 *
 * Usage: node bench/storage-report.mjs [objects]
 */
import { StoragePath } from "../dist/index.js";
import { report, reportHtml } from "../dist/xcom.js";

const objects = Number(process.argv[2] ?? 1_000_000);
const MIB = 2 ** 20;

function keyOf(i) {
  const n = (i * 7919) % objects;
  const name = `00000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`;
  return `xcom/dag_${n % 300}/run_${n % 100_000}/task_${n % 2000}/${name}`;
}

const storage = {
  async *list() {
    for (let i = 0; i < objects; i++) {
      const path = StoragePath.of({ scheme: "memory", bucket: "b", key: keyOf(i) });
      yield { type: "file", path, size: (i * 31) % 1e6, modified: new Date(1.7e12 + i), etag: "e" };
    }
  },
  stat: async () => ({ size: 1 }),
};
const rows = {
  name: "rows",
  async *references() {
    for (let i = 0; i < objects; i++) if (i % 10 !== 0) yield { text: `memory://b/${keyOf(i)}`, where: "" };
  },
};

let most = 0;
const before = process.memoryUsage().rss;
const timer = setInterval(() => {
  most = Math.max(most, process.memoryUsage().rss);
}, 50);
const start = performance.now();
const found = await report({ storage, path: "memory://b/xcom", sources: [rows] });
clearInterval(timer);
console.table({
  objects,
  runs: found.runs.count,
  orphans: found.references.orphaned.objects,
  seconds: Math.round((performance.now() - start) / 100) / 10,
  "growth of resident memory, MiB": Math.round((most - before) / MIB),
  "page, KiB": Math.round(reportHtml(found).length / 1024),
});
