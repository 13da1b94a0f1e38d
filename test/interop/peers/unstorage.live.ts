/**
 * stowage beneath unstorage. unstorage's package has no tests of its drivers to run (its `files` are dist and drivers), so
 * that its own drivers are the reference: the same random calls give the same results on stowage's driver and on
 * unstorage's memory, and on S3 each reads what the other wrote.
 */
import fc from "fast-check";
import { createStorage, type Driver } from "unstorage";
import memoryDriver from "unstorage/drivers/memory";
import s3Driver from "unstorage/drivers/s3";
import { afterAll, describe, expect, test } from "vitest";
import { openStorage } from "../../../src/index.js";
import { describeOn, useBucket } from "../../servers/use.js";
import { stowageDriver } from "./unstorage.js";

/** No key is the beginning of another's, such as `a` and `a:b`: unstorage's memory takes both, folders do not. */
const KEYS = [
  "one",
  "two",
  "dir:one",
  "dir:two",
  "dir:sub:one",
  "dir:sub:deep:one",
  "ümlaut:☀️ (1)",
  "a b:c+d%20",
  "dirx:one",
];
const BASES = ["", "dir", "dir:sub", "dir:sub:", "missing", "ümlaut"];

const key = fc.constantFrom(...KEYS);
const base = fc.constantFrom(...BASES);
const value = fc.oneof(
  fc.string({ unit: "binary" }).filter((text) => text.isWellFormed()),
  fc.integer(),
  fc.boolean(),
  fc.json().map((text) => JSON.parse(text)),
);

type Peer = ReturnType<typeof createStorage>;
const sorted = (names: string[]) => names.toSorted();
const bytesOf = (raw: unknown) => (raw === null ? null : [...new Uint8Array(raw as ArrayBuffer)]);

/** A call on a storage, whose result is compared. */
const call: fc.Arbitrary<{ name: string; run(peer: Peer): Promise<unknown> }> = fc.oneof(
  fc.tuple(key, value).map(([at, what]) => ({ name: `setItem ${at}`, run: (peer: Peer) => peer.setItem(at, what) })),
  fc.tuple(key, fc.uint8Array()).map(([at, what]) => ({
    name: `setItemRaw ${at}`,
    run: async (peer: Peer) => {
      await peer.setItemRaw(at, what);
      return bytesOf(await peer.getItemRaw(at));
    },
  })),
  key.map((at) => ({ name: `hasItem ${at}`, run: (peer: Peer) => peer.hasItem(at) })),
  key.map((at) => ({ name: `removeItem ${at}`, run: (peer: Peer) => peer.removeItem(at) })),
  base.map((at) => ({ name: `getKeys ${at}`, run: async (peer: Peer) => sorted(await peer.getKeys(at)) })),
  fc.nat(3).map((maxDepth) => ({
    name: `getKeys to ${maxDepth}`,
    run: async (peer: Peer) => sorted(await peer.getKeys("", { maxDepth })),
  })),
  // Of everything: its memory ignores the base of a clear.
  fc.constant({ name: "clear", run: (peer: Peer) => peer.clear() }),
);

/** Sets all keys, makes the calls on both, and compares each result and what is left at the end. */
async function compare(driver: () => Driver, runs: number): Promise<void> {
  const step = async (calls: { name: string; run(peer: Peer): Promise<unknown> }[]) => {
    const [reference, ours] = [createStorage({ driver: memoryDriver() }), createStorage({ driver: driver() })];
    await ours.clear();
    for (const peer of [reference, ours]) for (const at of KEYS) await peer.setItem(at, `at first: ${at}`);
    for (const { name, run } of calls) expect(await run(ours), name).toEqual(await run(reference));
    expect(sorted(await ours.getKeys())).toEqual(sorted(await reference.getKeys()));
    for (const at of KEYS)
      expect(await ours.getItemRaw(at).then(textOf), at).toEqual(await reference.getItemRaw(at).then(textOf));
  };
  await fc.assert(fc.asyncProperty(fc.array(call, { maxLength: 12 }), step), { numRuns: runs });
}

const textOf = (raw: unknown) => (raw instanceof Uint8Array ? new TextDecoder().decode(raw) : raw);

describe("the same calls have the same results as on unstorage's own memory", () => {
  const storage = openStorage({ env: {} });
  afterAll(() => storage.close());

  test("in memory", { timeout: 120_000 }, async () => {
    await compare(() => stowageDriver({ storage, base: "memory://bucket/unstorage" }), 200);
  });
});

await describeOn("minio", "unstorage on S3", (server) => {
  const bucket = useBucket(server);
  const storage = openStorage({ connections: { it: server.connection } });
  afterAll(() => storage.close());

  test("the same calls have the same results as on unstorage's own memory", { timeout: 120_000 }, async () => {
    await compare(() => stowageDriver({ storage, base: `s3://it@${bucket().name}/unstorage` }), 25);
  });

  test("unstorage's own driver reads, lists and deletes what stowage wrote, and the reverse", async () => {
    const {
      login = "",
      password = "",
      extra,
    } = server.connection as { login: string; password: string; extra: { endpoint_url: string } };
    const theirs = createStorage({
      driver: s3Driver({
        accessKeyId: login,
        secretAccessKey: password,
        endpoint: extra.endpoint_url,
        region: "us-east-1",
        bucket: bucket().name,
      }),
    });
    await storage.delete(`s3://it@${bucket().name}`, { recursive: true, emptyBucket: true });
    const ours = createStorage({ driver: stowageDriver({ storage, base: `s3://it@${bucket().name}` }) });
    const names = KEYS.filter((name) => !name.includes("%"));
    for (const [writer, reader] of [
      [ours, theirs],
      [theirs, ours],
    ] as const) {
      for (const name of names) await writer.setItem(name, { name });
      expect(sorted(await reader.getKeys())).toEqual(sorted(names));
      for (const name of names) expect(await reader.getItem(name)).toEqual({ name });
      for (const name of names) await reader.removeItem(name);
      expect(await writer.getKeys()).toEqual([]);
    }
  });
});
