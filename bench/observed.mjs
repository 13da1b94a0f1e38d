/**
 * What the channels of `node:diagnostics_channel` cost: small gets and puts on MinIO per second of processor time,
 * without a subscriber, with one, and with OpenTelemetry.
 *
 *     node bench/observed.mjs                    this build
 *     node bench/observed.mjs ../other/dist      also another build, such as one from before a change
 *     node bench/observed.mjs --pairs 100        what the channels cost without a subscriber, by pairs of short blocks
 *
 * Rounds of all variants take turns in one process, so that what else the machine does falls on all alike.
 */
import { tracingChannel } from "node:diagnostics_channel";
import { loadavg } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { makeBucket, startMinio } from "../test/servers/index.mjs";
import { pairedRatio, processorMicros, shown } from "./pairs.mjs";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { pairs: { type: "string" } } });
const [otherDist] = positionals;
const OBJECTS = 1000;
const AT_ONCE = 16;
const ROUNDS = 15;
const data = new Uint8Array(1024);

const minio = await startMinio();
const bucket = await makeBucket(minio);
const here = await import("../dist/index.js");
if (values.pairs !== undefined) {
  await unsubscribed(Number(values.pairs));
  await bucket.remove();
  await minio.stop();
  process.exit();
}

/**
 * Compares small gets and puts without a subscriber with themselves, which shows the noise; with the verbs of the same
 * Storage that publish nothing; and with those verbs on drivers whose requests are not published either.
 */
async function unsubscribed(pairs) {
  const { connectionsFromRecord, createStorage, memory } = await import("../dist/core.js");
  const { s3 } = await import("../dist/fs/drivers/s3/index.js");
  const drivers = [s3(), memory()];
  const silent = drivers.map(({ schemes, open }) => ({
    schemes,
    open: (name, connection, { observe: _, ...context }) => open(name, connection, context),
  }));
  const connections = connectionsFromRecord({ it: minio.connection });
  const storage = createStorage({ drivers, connections });
  const bare = createStorage({ drivers: silent, connections });
  const inner = Object.getPrototypeOf(Object.getPrototypeOf(storage));
  if (inner.write === storage.write) throw new Error("the verbs that publish nothing are elsewhere now");
  const places = {
    memory: { base: "memory://bucket", calls: 2000, atOnce: 1 },
    MinIO: { base: `s3://it@${bucket.name}`, calls: 100, atOnce: AT_ONCE },
  };
  for (const [place, { base, calls, atOnce }] of Object.entries(places)) {
    const paths = Array.from({ length: 100 }, (_, i) => `${base}/${i}`);
    for (const one of [storage, bare]) for (const path of paths) await one.write(path, data);
    const verbs = {
      put: { name: "write", rest: [data] },
      get: { name: "bytes", rest: [] },
    };
    for (const [verb, { name, rest }] of Object.entries(verbs)) {
      const call = (i) => storage[name](paths[i % 100], ...rest);
      const others = {
        itself: (i) => storage[name](paths[i % 100], ...rest),
        "the verb that publishes nothing": (i) => inner[name].call(storage, paths[i % 100], ...rest),
        "the same, whose requests are not published either": (i) => inner[name].call(bare, paths[i % 100], ...rest),
      };
      for (const [other, of] of Object.entries(others)) {
        const ratio = await pairedRatio(call, of, { pairs, calls, atOnce });
        console.log(`${place} ${verb} to ${other}: ${shown(ratio)}, load ${loadavg()[0].toFixed(1)}`);
      }
    }
  }
  await storage.close();
  await bare.close();
}

/** Runs one round with a subscriber to both channels. */
async function subscribed(work) {
  const none = () => {};
  const channels = ["stowage:operation", "stowage:request"].map((name) => tracingChannel(name));
  const subscribers = { start: none, end: none, asyncStart: none, asyncEnd: none, error: none };
  for (const channel of channels) channel.subscribe(subscribers);
  try {
    return await work();
  } finally {
    for (const channel of channels) channel.unsubscribe(subscribers);
  }
}

async function instrumented(work) {
  const { instrument } = await import("../dist/otel.js");
  const { BasicTracerProvider } = await import("@opentelemetry/sdk-trace-base");
  const { MeterProvider } = await import("@opentelemetry/sdk-metrics");
  const stop = instrument({ tracerProvider: new BasicTracerProvider(), meterProvider: new MeterProvider() });
  try {
    return await work();
  } finally {
    stop();
  }
}

const open = ({ openStorage }) => openStorage({ connections: { it: minio.connection }, env: {} });
const plain = (work) => work();
const variants = [
  ...(otherDist
    ? [{ name: "the other build", storage: open(await import(resolve(otherDist, "index.js"))), around: plain }]
    : []),
  { name: "no subscriber", storage: open(here), around: plain },
  { name: "a subscriber", storage: open(here), around: subscribed },
  { name: "OpenTelemetry", storage: open(here), around: instrumented },
];

/** Returns the calls per second of processor time of one round. */
async function round(call, count) {
  return (count * 1e6) / (await processorMicros(call, count, AT_ONCE));
}

const verbs = {
  put: (storage) => (i) => storage.write(`s3://it@${bucket.name}/${i % 100}`, data),
  get: (storage) => (i) => storage.bytes(`s3://it@${bucket.name}/${i % 100}`),
  // Without a server, a call is so short that its own cost shows.
  stat: (storage) => () => storage.stat("memory://bucket/key"),
};
for (const { storage } of variants) await storage.write("memory://bucket/key", "");
for (const [verb, callOf] of Object.entries(verbs)) {
  const rates = new Map(variants.map(({ name }) => [name, []]));
  for (let i = -4; i < ROUNDS; i++) {
    // Each variant comes first in turn: what one leaves to the collector falls on the next.
    const turn = (i + variants.length) % variants.length;
    for (const { name, storage, around } of [...variants.slice(turn), ...variants.slice(0, turn)]) {
      const rate = await around(() => round(callOf(storage), verb === "stat" ? 20 * OBJECTS : OBJECTS));
      if (i >= 0) rates.get(name).push(rate);
    }
  }
  const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
  const first = rates.get(variants[0].name);
  for (const [name, values] of rates) {
    const ratios = values.map((value, i) => value / first[i]);
    console.log(
      `${verb}  ${name.padEnd(16)} ${median(values).toFixed(0)} a CPU-second, ratio ${median(ratios).toFixed(3)}`,
    );
  }
}
for (const { storage } of variants) await storage.close();
await bucket.remove();
await minio.stop();
