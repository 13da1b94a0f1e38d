/**
 * Runs every example of `examples/systems` against MinIO, fake-gcs-server and Azurite and prints a table: system x
 * store.
 *
 *     node scripts/examples.mjs               # all; `npm run test:examples` builds the package first
 *     node scripts/examples.mjs routing       # only examples whose name contains this text
 *
 * An example is one program `examples/systems/<system>.mjs`; the script discovers it, so a new one needs no
 * registration. It imports "stowage", checks with `node:assert`, and exits with code 0. Its environment contains
 *
 *     XCOM_PATH          s3://store@bucket/<system>, gs://…, abfs://…   its own empty location
 *     XCOM_OTHER_PATH    the same in a second bucket, under the connection `other`
 *     AIRFLOW_CONN_STORE, AIRFLOW_CONN_OTHER    the connections, as openStorage() finds them
 *     MINIO_IP, MINIO_ACCESS_KEY, MINIO_SECRET_KEY    with MinIO
 *
 * and nothing else of this environment except PATH and HOME. `examples/systems/lib/place.mjs` reads them and falls back
 * to a folder, so that an example also runs by itself. A system that does not exist on a store prints why and exits
 * with code 77; the table shows it as a dash. Files in folders below `examples/systems` are not examples.
 */
import { spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeBucket, startAzurite, startFakeGcs, startMinio } from "../test/servers/index.mjs";

const FOLDER = fileURLToPath(new URL("../examples/systems/", import.meta.url));
const STORES = [
  { name: "MinIO", scheme: "s3", start: startMinio },
  { name: "fake-gcs-server", scheme: "gs", start: startFakeGcs },
  { name: "Azurite", scheme: "abfs", start: startAzurite },
];
const NOT_HERE = 77;
/** Milliseconds after which an example fails. */
const LIMIT = 120_000;

/** @typedef {{ mark: string, failed: boolean, output: string }} Result */
/** @typedef {Awaited<ReturnType<typeof startMinio | typeof startFakeGcs | typeof startAzurite>>} Server */

/** @param {string} text @returns {Promise<string[]>} */
async function systems(text) {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith(".mjs")).map((name) => name.slice(0, -4));
  return names.filter((name) => name.includes(text)).sort();
}

/** @param {(typeof STORES)[number]} store @param {string[]} names @returns {Promise<Result[]>} */
async function runStore(store, names) {
  const server = await store.start();
  const buckets = [await makeBucket(server), await makeBucket(server)];
  const results = [];
  try {
    for (const name of names) results.push(await runOne(name, settings(store.scheme, server, buckets, name)));
  } finally {
    await Promise.all(buckets.map((bucket) => bucket.remove()));
    await server.stop();
  }
  return results;
}

/** @param {string} scheme @param {Server} server @param {{ name: string }[]} buckets @param {string} system */
function settings(scheme, server, [mine, other], system) {
  const { type, ...rest } = server.connection;
  const connection = JSON.stringify({ conn_type: type, ...rest });
  return {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    XCOM_PATH: `${scheme}://store@${mine?.name}/${system}`,
    XCOM_OTHER_PATH: `${scheme}://other@${other?.name}/${system}`,
    AIRFLOW_CONN_STORE: connection,
    AIRFLOW_CONN_OTHER: connection,
    ...(server.kind === "s3" ? minio(server) : {}),
  };
}

/** @param {{ endpoint: string, accessKey: string, secretKey: string }} server */
function minio({ endpoint, accessKey, secretKey }) {
  return { MINIO_IP: new URL(endpoint).host, MINIO_ACCESS_KEY: accessKey, MINIO_SECRET_KEY: secretKey };
}

/** @param {string} name @param {NodeJS.ProcessEnv} env @returns {Promise<Result>} */
function runOne(name, env) {
  const started = Date.now();
  const child = spawn(process.execPath, [join(FOLDER, `${name}.mjs`)], { env, timeout: LIMIT });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  return new Promise((resolve) => {
    child.on("close", (code) => {
      const seconds = `${((Date.now() - started) / 1000).toFixed(1)} s`;
      const mark = code === 0 ? seconds : code === NOT_HERE ? "-" : "FAILED";
      resolve({ mark, failed: code !== 0 && code !== NOT_HERE, output });
    });
  });
}

/** @param {string[][]} rows */
function print(rows) {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  for (const row of rows)
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    );
}

const names = await systems(process.argv[2] ?? "");
const columns = await Promise.all(STORES.map((store) => runStore(store, names)));
for (const [i, name] of names.entries()) {
  for (const [j, { name: store }] of STORES.entries()) {
    const result = columns[j]?.[i];
    if (result?.failed) console.error(`\n${name} on ${store}:\n${result.output}`);
  }
}
print([
  ["system", ...STORES.map(({ name }) => name)],
  ...names.map((name, i) => [name, ...columns.map((results) => results[i]?.mark ?? "")]),
]);
const all = columns.flat();
const failed = all.filter((result) => result.failed).length;
const skipped = all.filter(({ mark }) => mark === "-").length;
console.log(`\n${all.length - failed - skipped} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`);
process.exitCode = failed > 0 || all.length === 0 ? 1 : 0;
