/** Claims whose object has other bytes than its name states: stored again they are mended, and `put` never makes one. */
import { createHash } from "node:crypto";
import { afterAll, describe, expect, test } from "vitest";
import { Claims, type ClaimsOptions, DigestObjects } from "../../src/claims/index.js";
import { openStorage, type Storage, StoragePath } from "../../src/index.js";
import { gate } from "../../src/testing/bench.js";
import { ended, useChannels } from "../support/channels.js";

const { operations } = useChannels();
const storage = openStorage({ env: {} });
afterAll(() => storage.close());

const SIZE = 5_000_000;
const bytesOf = (letter: string) => Buffer.alloc(SIZE, letter);
const RIGHT = bytesOf("a");

let made = 0;
function claimsAt(options: Partial<ClaimsOptions> = {}): Claims {
  return new Claims({ storage, path: `memory://damage/${made++}`, threshold: 10, ...options });
}
const isRight = async (claims: Claims, put = claims.put(RIGHT)) => RIGHT.equals(await claims.get(await put));

/** The operations of the Storage during `work`. */
async function seen(work: () => Promise<unknown>): Promise<unknown[]> {
  const told = operations();
  await work();
  return ended(told.splice(0)).map(({ op }) => op);
}

describe("a damaged object", () => {
  test.each([
    ["of the same size", undefined, bytesOf("b")],
    ["that is cut", undefined, Buffer.alloc(10)],
    ["that is cut, compressed", "gzip", Buffer.alloc(10)],
    ["of other bytes, compressed", "zstd", bytesOf("b")],
  ] as const)("%s is written again by the next put after a read found it, and then no more", async (...row) => {
    const [, compression, wrong] = row;
    const scope = ["t"];
    const claims = claimsAt({ compression });
    const claim = await claims.put(RIGHT, { scope });
    await storage.write(claim.url, wrong, { compression: wrong.byteLength === SIZE ? (compression ?? null) : null });
    await expect(claims.get(claim)).rejects.toMatchObject({ code: "Corrupt" });
    expect(await seen(() => claims.put(RIGHT, { scope }))).toEqual(["write"]);
    expect(await isRight(claims, claims.put(RIGHT, { scope }))).toBe(true);
    expect(await seen(() => claims.put(RIGHT, { scope }))).toEqual(["write", "stat"]);
  });

  test("is written again after a write that failed", async () => {
    let refused = false;
    const flaky = standIn({
      async write(...call) {
        if (refused) throw new Error("the line is cut");
        return storage.write(...call);
      },
    });
    const claims = claimsAt({ storage: flaky });
    const { url } = await claims.put(RIGHT);
    await storage.write(url, bytesOf("b"));
    await expect(claims.get(await claims.put(RIGHT))).rejects.toMatchObject({ code: "Corrupt" });
    refused = true;
    await expect(claims.put(RIGHT)).rejects.toThrow("the line is cut");
    refused = false;
    expect(await isRight(claims)).toBe(true);
  });

  test("is not remembered as sound by a store that was under way while a read found it", async () => {
    const looked = gate();
    const answered = gate();
    const slow = standIn({
      async stat(...call) {
        const info = await storage.stat(...call);
        looked.open();
        await answered.opened;
        return info;
      },
    });
    const path = StoragePath.parse(`memory://damage/${made++}/object`);
    const sha256 = createHash("sha256").update(RIGHT).digest("hex");
    const objects = new DigestObjects(slow, 1e9, Number.POSITIVE_INFINITY);
    await storage.write(path, bytesOf("b"));
    const store = objects.store(path, RIGHT, { rememberMs: 60_000 });
    await looked.opened;
    await expect(objects.read(path, { sha256, size: SIZE }, undefined)).rejects.toMatchObject({ code: "Corrupt" });
    answered.open();
    await store;
    await objects.store(path, RIGHT, { rememberMs: 60_000 });
    expect(RIGHT.equals(await objects.read(path, { sha256, size: SIZE }, undefined))).toBe(true);
  });

  test("of the same size is written again unread where the provider states its MD5, a sound one is not", async () => {
    const stating = standIn({
      async stat(...call) {
        const md5 = createHash("md5")
          .update(await storage.bytes(call[0]))
          .digest("hex");
        return { ...(await storage.stat(...call)), md5 };
      },
    });
    const { path } = claimsAt();
    const { url } = await claimsAt({ path }).put(RIGHT);
    expect(await seen(() => claimsAt({ path, storage: stating }).put(RIGHT))).toEqual(["write", "bytes", "stat"]);
    await storage.write(url, bytesOf("b"));
    expect(await isRight(claimsAt({ path, storage: stating }))).toBe(true);
  });
});

describe("a caller that changes its bytes during a call", () => {
  const calls: [string, (claims: Claims, bytes: Buffer) => Promise<unknown>][] = [
    ["put", (claims, bytes) => claims.put(bytes)],
    ["put with unique", (claims, bytes) => claims.put(bytes, { unique: true })],
    ["encodeBytes", (claims, bytes) => claims.encodeBytes(bytes)],
  ];
  test.each(calls)("does not change what %s stores", async (_, call) => {
    const claims = claimsAt();
    const bytes = bytesOf("a");
    const stored = call(claims, bytes);
    bytes.fill("b");
    await stored;
    for await (const { url } of claims.list()) expect(RIGHT.equals(await storage.bytes(url))).toBe(true);
    expect(await isRight(claims)).toBe(true);
  });
});

/** The storage, with some operations replaced. */
function standIn(replaced: Partial<Pick<Storage, "write" | "stat">>): Storage {
  return new Proxy(storage, {
    get(target, name) {
      const found = replaced[name as "write"] ?? Reflect.get(target, name);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
}
