/** The stores that are measured: emulators as processes of their own, a folder and memory. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBucket, startAzurite, startFakeGcs, startMinio } from "../test/servers/index.mjs";
import { openLine } from "./line.mjs";

/** Which subjects there are for a store, except for XComs; the first is stowage. */
export const subjectsOf = {
  memory: ["stowage", "bare-memory"],
  file: ["stowage", "node-fs"],
  minio: ["stowage", "aws-sdk", "opendal", "flystorage", "flydrive", "files-sdk", "s3fs", "obstore", "probe"],
  gcs: ["stowage", "google-sdk", "opendal", "gcsfs", "obstore"],
  azure: ["stowage", "azure-sdk", "opendal", "adlfs", "obstore"],
  "line-minio": ["stowage", "aws-sdk", "opendal", "obstore", "awscrt"],
  "line-minio-tls": ["stowage", "aws-sdk", "opendal", "obstore", "awscrt"],
  "line-gcs": ["stowage", "google-sdk", "opendal", "obstore"],
  "line-azure": ["stowage", "azure-sdk", "opendal", "obstore"],
};

const openers = {
  memory,
  file,
  minio,
  gcs,
  azure,
  "line-minio": () => farAway(minio),
  "line-minio-tls": () => farAway(() => minio({ tls: true })),
  "line-gcs": () => farAway(gcs),
  "line-azure": () => farAway(azure),
};

/** Starts a store. Its target is what subjects need to reach it. @param {keyof typeof openers} store */
export function openPlace(store) {
  return openers[store]();
}

async function memory() {
  return { target: { base: "memory://bench" }, close: async () => {} };
}

async function file() {
  const folder = await mkdtemp(join(tmpdir(), "stowage-bench-"));
  const close = () => rm(folder, { recursive: true, force: true });
  return { target: { base: `file://${folder}`, folder }, close };
}

async function minio({ tls = false } = {}) {
  const server = await startMinio({ tls });
  const { endpoint, region, accessKey, secretKey } = server;
  const caFile = tls ? server.connection.extra.verify : undefined;
  return served(server, "s3", { s3: { endpoint, region, accessKey, secretKey, caFile } });
}

async function gcs() {
  const server = await startFakeGcs();
  const { endpoint, project } = server;
  return served(server, "gs", { gcs: { endpoint, project } });
}

async function azure() {
  const server = await startAzurite();
  const { endpoint, account, accountKey: key, connectionString } = server;
  return served(server, "abfs", { azure: { endpoint, account, key, connectionString } });
}

/** The same store at the end of a cloud's line. `near` leads past it, for what is not measured. */
async function farAway(open) {
  const { target: near, close } = await open();
  const [[provider, details]] = ["s3", "gcs", "azure"].filter((one) => near[one]).map((one) => [one, near[one]]);
  const line = await openLine(details.endpoint);
  const moved = (value) => JSON.parse(JSON.stringify(value).replaceAll(details.endpoint, line.endpoint));
  const target = { ...near, near, connection: moved(near.connection), [provider]: moved(details) };
  return {
    target,
    async close() {
      await line.close();
      await close();
    },
  };
}

async function served(server, scheme, details) {
  const bucket = await makeBucket(server);
  const { connection } = server;
  const target = { base: `${scheme}://it@${bucket.name}`, bucket: bucket.name, connection, ...details };
  // An emulator of our own takes the bucket along.
  const close = async () => {
    if (server.external) await bucket.remove();
    await server.stop();
  };
  return { target, close };
}
