/**
 * 100,000 keys of a bucket over a cloud's line (`line.mjs`): stowage, in order and as they come, beside the paginator of
 * the AWS SDK. The server is a process of its own that has the keys in memory, as a cloud has them in an index: an
 * emulator that opens a file for each key would be what is measured. Each run is a process of its own as well.
 *
 *     npm run build && node bench/list.mjs [keys] [rounds]
 */
import { execFile, spawn } from "node:child_process";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { openLine } from "./line.mjs";

const PAGE = 1000;
const KEYS = { accessKeyId: "key", secretAccessKey: "secret" };

/** Names of keys, by number. */
const SHAPES = {
  numbers: (i) => `p/part-${two(i, 6)}.json`,
  days: (i) => `p/2026/${two(1 + (i % 12), 2)}/${two(1 + (i % 28), 2)}/${hash(i)}.json`,
  hashes: (i) => `p/${hash(i)}`,
};

/** Each lists everything below `p` and returns the number of keys. */
const SUBJECTS = {
  "stowage, in order": (endpoint) => withStowage(endpoint, {}),
  "stowage, unordered": (endpoint) => withStowage(endpoint, { ordered: false }),
  "aws-sdk, paginator": withSdk,
};

const [role, ...rest] = process.argv.slice(2);
if (role === "serve") serve(rest[0], Number(rest[1]));
else if (role === "list") await listed(rest[0], rest[1]);
else await compare(Number(role ?? 100_000), Number(rest[0] ?? 3));

function two(number, digits) {
  return String(number).padStart(digits, "0");
}

function hash(i) {
  return ((i * 2654435761) >>> 0).toString(16).padStart(8, "0");
}

async function compare(count, rounds) {
  for (const shape of Object.keys(SHAPES)) {
    const server = await start("serve", shape, String(count));
    const line = await openLine(`http://127.0.0.1:${server.port}`);
    const runs = Object.fromEntries(Object.keys(SUBJECTS).map((name) => [name, []]));
    for (let round = 0; round < rounds; round++)
      for (const name of Object.keys(SUBJECTS)) runs[name].push(await run(name, line.endpoint, server));
    const sdk = median(runs["aws-sdk, paginator"].map(({ ms }) => ms));
    for (const [name, all] of Object.entries(runs)) {
      const ms = median(all.map((one) => one.ms));
      const facts = [
        shape.padEnd(8),
        name.padEnd(19),
        `${(ms / 1000).toFixed(2)} s`.padStart(8),
        `${(sdk / ms).toFixed(2)} x`.padStart(7),
        `${median(all.map(({ requests }) => requests))} requests`.padStart(13),
        `${median(all.map(({ rss }) => rss)).toFixed(0)} MiB more`.padStart(12),
      ];
      console.log(facts.join("  "));
    }
    await line.close();
    server.stop();
  }
}

async function run(name, endpoint, server) {
  const before = await server.requests();
  const { stdout } = await promisify(execFile)(process.execPath, [import.meta.filename, "list", name, endpoint]);
  return { ...JSON.parse(stdout), requests: (await server.requests()) - before };
}

/** In a process of its own: lists, and tells the milliseconds and the growth of its memory in MiB. */
async function listed(name, endpoint) {
  const list = SUBJECTS[name];
  const before = process.memoryUsage.rss();
  const start = performance.now();
  const { count, rss } = await list(endpoint);
  console.log(JSON.stringify({ ms: performance.now() - start, count, rss: (rss - before) / 2 ** 20 }));
}

async function withStowage(endpoint, options) {
  const { openStorage } = await import("../dist/index.js");
  const extra = { endpoint_url: endpoint, region_name: "us-east-1", provider: "minio" };
  const it = { type: "aws", login: KEYS.accessKeyId, password: KEYS.secretAccessKey, extra };
  const storage = openStorage({ env: {}, connections: { it } });
  const counted = await counting(storage.list("s3://it@bucket/p", { recursive: true, ...options }));
  await storage.close();
  return counted;
}

async function withSdk(endpoint) {
  const { paginateListObjectsV2, S3Client } = await import("@aws-sdk/client-s3");
  const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials: KEYS });
  const objects = async function* () {
    for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: "bucket", Prefix: "p/" }))
      yield* Contents;
  };
  const counted = await counting(objects());
  client.destroy();
  return counted;
}

async function counting(entries) {
  let [count, rss] = [0, 0];
  for await (const _ of entries) if (++count % PAGE === 0) rss = Math.max(rss, process.memoryUsage.rss());
  return { count, rss };
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

/** Starts a role of this file that listens. */
async function start(...args) {
  const child = spawn(process.execPath, [import.meta.filename, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const { value } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  const port = Number(value);
  const requests = async () => Number(await (await fetch(`http://127.0.0.1:${port}/requests`)).text());
  return { port, requests, stop: () => child.kill() };
}

/** Answers ListObjectsV2 of one bucket. */
function serve(shape, count) {
  const keys = Array.from({ length: count }, (_, i) => SHAPES[shape](i)).sort();
  let requests = 0;
  const server = createServer(({ url }, answer) => {
    const { pathname, searchParams } = new URL(url, "http://localhost");
    if (pathname === "/requests") return answer.end(String(requests));
    requests += 1;
    const after = searchParams.get("continuation-token") ?? searchParams.get("start-after") ?? "";
    const first = indexAfter(keys, after);
    const page = keys.slice(first, first + PAGE);
    answer.setHeader("content-type", "application/xml").end(document(page, first + PAGE < keys.length));
  });
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
}

function document(page, isTruncated) {
  const rows = page.map(
    (key) =>
      `<Contents><Key>${key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>1</Size><StorageClass>STANDARD</StorageClass></Contents>`,
  );
  const next = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : "";
  return `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>bucket</Name><Prefix>p/</Prefix><KeyCount>${page.length}</KeyCount><MaxKeys>${PAGE}</MaxKeys><IsTruncated>${isTruncated}</IsTruncated>${next}${rows.join("")}</ListBucketResult>`;
}

/** The index of the first key after another. */
function indexAfter(keys, after) {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle] > after) high = middle;
    else low = middle + 1;
  }
  return low;
}
