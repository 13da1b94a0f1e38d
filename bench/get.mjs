/**
 * `get(path).bytes()` beside `bytes(path)`, on MinIO: requests, and objects of 1 KiB and 1 MiB per second of processor
 * time. Rounds of both take turns in one process.
 *
 *     node bench/get.mjs
 */
import { openStorage } from "../dist/index.js";
import { makeBucket, startMinio } from "../test/servers/index.mjs";
import { processorMicros } from "./pairs.mjs";

const AT_ONCE = 16;
const ROUNDS = 21;

const minio = await startMinio();
const bucket = await makeBucket(minio);
const storage = openStorage({ connections: { it: minio.connection }, env: {} });
const ways = { bytes: (path) => storage.bytes(path), get: async (path) => (await storage.get(path)).bytes() };

async function round(call, count) {
  return (count * 1e6) / (await processorMicros(call, count, AT_ONCE));
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
for (const [name, size, count] of [
  ["1 KiB", 1024, 2000],
  ["1 MiB", 2 ** 20, 100],
]) {
  const path = `s3://it@${bucket.name}/${size}`;
  await storage.write(path, new Uint8Array(size));
  const rates = { bytes: [], get: [] };
  for (let i = -5; i < ROUNDS; i++) {
    const order = i % 2 === 0 ? ["bytes", "get"] : ["get", "bytes"];
    for (const way of order) {
      const rate = await round(() => ways[way](path), count);
      if (i >= 0) rates[way].push(rate);
    }
  }
  const ratio = median(rates.get.map((rate, i) => rate / rates.bytes[i]));
  console.log(
    `${name}: bytes ${median(rates.bytes).toFixed(0)}, get ${median(rates.get).toFixed(0)} a CPU-second, ratio ${ratio.toFixed(3)}`,
  );
}
await storage.close();
await bucket.remove();
await minio.stop();
