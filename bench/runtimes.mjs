/**
 * What large values cost the runtimes, on MinIO: 3 MB payloads of Temporal through `temporalDriver` and through
 * Temporal's own S3 driver, and a state of 1 MB over 50 steps of a LangGraph graph, with and without `offload`, by the
 * bytes of its rows in Postgres and the requests.
 *
 *     npm run build && (cd test/interop/runtimes && npm install --ignore-scripts) && node bench/runtimes.mjs [rounds]
 */
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { loadavg } from "node:os";
import { pathToFileURL } from "node:url";
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import pg from "pg";
import { openStorage } from "../dist/index.js";
import { offload } from "../dist/runtimes/langgraph.js";
import { temporalDriver } from "../dist/runtimes/temporal.js";
import { makeBucket, startMinio } from "../test/servers/index.mjs";
import { startPostgres } from "../test/servers/postgres.mjs";
import { countingProxy } from "./requests.mjs";

const require = createRequire(new URL("../test/interop/runtimes/package.json", import.meta.url));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { S3StorageDriver } = await load("@temporalio/external-storage-s3");
const { Annotation, START, StateGraph } = await load("@langchain/langgraph");
const { PostgresSaver } = await load("@langchain/langgraph-checkpoint-postgres");

const rounds = Number(process.argv[2] ?? 30);
const SIZE = 3_000_000;
const STEPS = 50;
/** The claims of payloads that were stored. */
const claims = new WeakMap();

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
const minio = await startMinio();
const bucket = await makeBucket(minio);
const counter = await countingProxy(minio.endpoint);
const { extra, ...rest } = minio.connection;
const at = (endpoint) =>
  openStorage({ connections: { lake: { ...rest, extra: { ...extra, endpoint_url: endpoint } } }, env: {} });
const target = { kind: "workflow", namespace: "default", id: "bench", type: "t" };
try {
  await temporal();
  await langgraph();
} finally {
  counter.close();
  await bucket.remove();
  await minio.stop();
}

async function temporal() {
  const direct = drivers(minio.endpoint);
  const counted = drivers(counter.endpoint);
  const found = {};
  for (const [name, driver] of Object.entries(counted)) {
    found[name] = {};
    const payload = payloadOf();
    for (const step of ["store", "store again", "retrieve"]) {
      const before = counter.count();
      await work(step, driver, payload);
      found[name][`${step}: requests`] = counter.count() - before;
    }
  }
  const times = Object.fromEntries(Object.keys(direct).map((name) => [name, { store: [], retrieve: [] }]));
  for (let round = 0; round <= rounds; round++) {
    for (const [name, driver] of Object.entries(direct)) {
      const payload = payloadOf();
      for (const step of ["store", "retrieve"]) {
        const before = performance.now();
        await work(step, driver, payload);
        // The first round warms up.
        if (round > 0) times[name][step].push(performance.now() - before);
      }
    }
  }
  for (const [name, steps] of Object.entries(times))
    for (const [step, all] of Object.entries(steps)) {
      const sorted = all.sort((a, b) => a - b);
      const shown = [0.5, 0, 1].map((part) => sorted[Math.floor(part * (sorted.length - 1))].toFixed(1));
      found[name][`${step}: ms (least to most)`] = `${shown[0]} (${shown[1]} to ${shown[2]})`;
    }
  console.log(`payloads of 3 MB of Temporal, medians of ${rounds} rounds in turn, load ${loadavg()[0].toFixed(1)}`);
  console.table(found);
  for (const { close } of [...Object.values(direct), ...Object.values(counted)]) await close();
}

function payloadOf() {
  return { metadata: { encoding: Buffer.from("binary/plain") }, data: randomBytes(SIZE) };
}

async function work(step, { driver }, payload) {
  if (step !== "retrieve") claims.set(payload, await driver.store({ target }, [payload]));
  else {
    const [found] = await driver.retrieve({}, claims.get(payload));
    if (found.data.length !== SIZE) throw new Error("another payload came back");
  }
}

/** Both with their own clients, which keep their connections. */
function drivers(endpoint) {
  const storage = at(endpoint);
  const credentials = { accessKeyId: minio.accessKey, secretAccessKey: minio.secretKey };
  const s3 = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials });
  const client = {
    objectExists: (Bucket, Key) =>
      s3.send(new HeadObjectCommand({ Bucket, Key })).then(
        () => true,
        () => false,
      ),
    putObject: async (Bucket, Key, Body) => void (await s3.send(new PutObjectCommand({ Bucket, Key, Body }))),
    getObject: async (Bucket, Key) =>
      (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body.transformToByteArray(),
  };
  return {
    stowage: {
      driver: temporalDriver({ storage, url: `s3://lake@${bucket.name}` }),
      close: () => storage.close(),
    },
    "Temporal's S3 driver": {
      driver: new S3StorageDriver({ bucket: bucket.name, client }),
      close: async () => s3.destroy(),
    },
  };
}

async function langgraph() {
  const storage = at(counter.endpoint);
  const postgres = await startPostgres();
  const pool = new pg.Pool({ connectionString: postgres.url });
  // Connections that are idle when the server stops.
  pool.on("error", () => {});
  const found = {};
  let made = 0;
  for (const changes of [false, true]) {
    for (const how of ["in rows", "offloaded", "remembered"]) {
      const schema = `s${made++}`;
      const saver = new PostgresSaver(pool, undefined, { schema });
      await saver.setup();
      const path = `s3://lake@${bucket.name}/langgraph-${schema}`;
      const remember = how === "remembered" ? "10s" : undefined;
      const checkpointer = how === "in rows" ? saver : offload(saver, { storage, path, remember });
      const before = counter.count();
      await graph(changes, checkpointer).invoke(
        { document: randomText(), step: 0 },
        { configurable: { thread_id: "1" }, recursionLimit: 2 * STEPS },
      );
      const requests = counter.count() - before;
      const name = changes ? "another document in each step" : "one document";
      found[`${name}, ${how}`] = {
        "MB in rows": ((await bytesOf(pool, schema)) / 1e6).toFixed(2),
        requests,
        "MB in objects": how === "in rows" ? "-" : ((await sizeOf(storage, path)) / 1e6).toFixed(2),
      };
    }
  }
  console.log(`a LangGraph state of 1 MB over ${STEPS} steps`);
  console.table(found);
  await pool.end();
  await postgres.stop();
  await storage.close();
}

function randomText() {
  return randomBytes(500_000).toString("hex");
}

/** Bytes of the values, before Postgres compresses them. */
async function bytesOf(pool, schema) {
  const tables = { checkpoints: "checkpoint::text", checkpoint_blobs: "blob", checkpoint_writes: "blob" };
  let bytes = 0;
  for (const [table, column] of Object.entries(tables)) {
    const { rows } = await pool.query(`SELECT sum(octet_length(${column})) AS bytes FROM ${schema}.${table}`);
    bytes += Number(rows[0].bytes);
  }
  return bytes;
}

function graph(changes, checkpointer) {
  const State = Annotation.Root({ document: Annotation(), step: Annotation() });
  const step = ({ step }) => (changes ? { step: step + 1, document: randomText() } : { step: step + 1 });
  return new StateGraph(State)
    .addNode("work", step)
    .addEdge(START, "work")
    .addConditionalEdges("work", ({ step }) => (step < STEPS ? "work" : "__end__"))
    .compile({ checkpointer });
}

async function sizeOf(storage, path) {
  let bytes = 0;
  for await (const { size } of storage.list(path, { recursive: true })) bytes += size;
  return bytes;
}
