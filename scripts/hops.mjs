/**
 * `npm run hops`: counts the files of `src` that one call passes through, that is in which it ran a function, by V8's
 * precise coverage on the modules as tsc emits them. Cold: the first call, including lazy loading. Warm: the second.
 *
 *     node scripts/hops.mjs              a table
 *     node scripts/hops.mjs --files      and the files of each flow
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Session } from "node:inspector/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { makeBucket, startFakeGcs, startMinio } from "../test/servers/index.mjs";

const ROOT = resolve(import.meta.dirname, "..");
const DIST = join(ROOT, "dist");

const inspector = new Session();
inspector.connect();
await inspector.post("Profiler.enable");

/**
 * Returns the files of `dist` in which a function ran during `work`.
 * @param {() => Promise<unknown>} work
 * @returns {Promise<string[]>}
 */
async function filesOf(work) {
  await inspector.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
  await inspector.post("Profiler.takePreciseCoverage");
  await work();
  const { result } = await inspector.post("Profiler.takePreciseCoverage");
  await inspector.post("Profiler.stopPreciseCoverage");
  const ran = result.filter(({ url, functions }) => {
    // The body of a module, which is unnamed and spans it, runs on load and does not count as a hop.
    const called = functions.some(
      ({ functionName, ranges: [range] }) => range.count > 0 && (functionName !== "" || range.startOffset > 0),
    );
    return called && url.startsWith("file:") && fileURLToPath(url).startsWith(`${DIST}/`);
  });
  return ran
    .map(({ url }) =>
      fileURLToPath(url)
        .slice(DIST.length + 1)
        .replace(/\.js$/, ".ts"),
    )
    .sort();
}

const [minio, gcs] = await Promise.all([startMinio(), startFakeGcs()]);
const [s3Bucket, gcsBucket] = await Promise.all([makeBucket(minio), makeBucket(gcs)]);
const folder = await mkdtemp(join(tmpdir(), "stowage-hops-"));
const { openStorage, XComObjectStorageBackend } = await import("../dist/index.js");
const { run } = await import("../dist/cli/program.js");
const connections = { s3: minio.connection, gs: gcs.connection };
const { type: conn_type, ...fields } = minio.connection;
const env = { AIRFLOW_CONN_S3: JSON.stringify({ conn_type, ...fields }) };
const [s3, gs] = [`s3://s3@${s3Bucket.name}`, `gs://gs@${gcsBucket.name}`];
const owner = { dagId: "d", runId: "r", taskId: "t" };
const large = Buffer.alloc(20 * 2 ** 20, 1);
const silent = {
  stream: new Writable({ write: (_chunk, _encoding, done) => done() }),
  terminal: false,
  columns: 80,
  color: false,
};
await writeFile(join(folder, "a.txt"), "text");

/** @typedef {ReturnType<typeof openStorage>} Storage */
/** @type {[flow: string, goal: number, work: (storage: Storage) => Promise<unknown>][]} */
const flows = [
  ["S3 read", 20, (storage) => storage.text(`${s3}/small`)],
  ["S3 multipart write", 18, (storage) => storage.write(`${s3}/large`, large)],
  ["list on GCS", 16, (storage) => drained(storage.list(`${gs}/`))],
  ["storeValue with gzip", 26, (storage) => backendOn(storage).storeValue(owner, "k", { n: 1 })],
  ["stowage cp", 40, () => copied()],
];

async function copied() {
  const { signal } = new AbortController();
  const io = { stdin: Readable.from([]), stdout: silent, stderr: silent, env, cwd: folder, signal };
  const code = await run(["cp", join(folder, "a.txt"), `${s3}/a.txt`], io);
  if (code !== 0) throw new Error(`stowage cp ended with ${code}`);
}

/** @param {AsyncIterable<unknown>} items */
async function drained(items) {
  for await (const _ of items);
}

/** @param {Storage} storage */
function backendOn(storage) {
  return new XComObjectStorageBackend({ storage, path: `${s3}/x`, threshold: 0, compression: "gzip" });
}

const seed = openStorage({ connections, env: {} });
await Promise.all([seed.write(`${s3}/small`, "text"), seed.write(`${gs}/a`, "1")]);
await seed.close();
for (const [flow, goal, work] of flows) {
  const storage = openStorage({ connections, env: {} });
  const cold = await filesOf(() => work(storage));
  const warm = await filesOf(() => work(storage));
  await storage.close();
  console.log(
    `${flow.padEnd(22)} cold ${String(cold.length).padStart(3)}  warm ${String(warm.length).padStart(3)}  goal ${goal}`,
  );
  if (process.argv.includes("--files"))
    console.log(cold.map((file) => `    ${warm.includes(file) ? " " : "*"} ${file}`).join("\n"));
}
await Promise.all([s3Bucket.remove(), gcsBucket.remove()]);
await Promise.all([minio.stop(), gcs.stop()]);
await rm(folder, { recursive: true, force: true });
