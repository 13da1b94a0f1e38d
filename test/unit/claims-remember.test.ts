/** What claims remember of stored values: repeated stores cost nothing, and nothing that is deleted or old is relied on. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Claims, type ClaimsOptions, DigestObjects } from "../../src/claims/index.js";
import { openStorage, type Storage, StoragePath } from "../../src/index.js";
import { type CheckpointSaver, offload } from "../../src/runtimes/langgraph.js";
import { gate } from "../../src/testing/bench.js";
import { ended, useChannels } from "../support/channels.js";

const { operations } = useChannels();
const BIG = Buffer.from("x".repeat(1000));
const REPEATED = ["write", "stat"];

let storage: Storage;
let made = 0;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
  storage = openStorage({ env: {} });
});
afterEach(async () => {
  vi.useRealTimers();
  await storage.close();
});
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

function claimsAt(options: Partial<ClaimsOptions> = {}): Claims {
  return new Claims({ storage, path: `memory://claims/${made++}`, threshold: 10, ...options });
}

/** The operations of the Storage during `work`. */
async function seen(work: () => Promise<unknown>): Promise<unknown[]> {
  const told = operations();
  await work();
  return ended(told.splice(0)).map(({ op }) => op);
}

describe("a value that is stored again", () => {
  test("costs nothing within a minute, and is looked at after it", async () => {
    const claims = claimsAt();
    const claim = await claims.put(BIG);
    expect(await seen(() => claims.put(BIG))).toEqual([]);
    pass(59_999);
    expect(await seen(() => claims.put(BIG))).toEqual([]);
    pass(1);
    expect(await seen(() => claims.put(BIG))).toEqual(REPEATED);
    expect(await seen(() => claims.put(BIG))).toEqual([]);
    expect((await claims.get(claim)).byteLength).toBe(1000);
  });

  test("is written again a minute after another process has deleted it", async () => {
    const claims = claimsAt();
    const { url } = await claims.put(BIG);
    await storage.delete(url);
    pass(60_000);
    await claims.put(BIG);
    expect(await storage.exists(url)).toBe(true);
  });

  test("is looked at each time in a scope, which others may remove, and with remember: 0", async () => {
    const scoped = claimsAt();
    await scoped.put(BIG, { scope: ["t"] });
    expect(await seen(() => scoped.put(BIG, { scope: ["t"] }))).toEqual(REPEATED);
    const twice = () => Promise.all([0, 1].map(() => scoped.put(Buffer.from("0123456789"), { scope: ["t"] })));
    expect((await seen(twice)).toSorted()).toEqual(["stat", "write", "write"]);
    const never = claimsAt({ remember: 0 });
    await never.put(BIG);
    expect(await seen(() => never.put(BIG))).toEqual(REPEATED);
    const told = claimsAt({ remember: "10s" });
    await told.put(BIG, { scope: ["t"] });
    pass(9_999);
    expect(await seen(() => told.put(BIG, { scope: ["t"] }))).toEqual([]);
    pass(1);
    expect(await seen(() => told.put(BIG, { scope: ["t"] }))).toEqual(REPEATED);
  });

  test("is stored once by all that store it at the same time", async () => {
    const claims = claimsAt();
    expect(await seen(() => Promise.all([0, 1, 2].map(() => claims.put(BIG))))).toEqual(["write"]);
  });

  test("is stored by the next one if the first one fails, and waits no longer than its signal", async () => {
    const held = gate();
    const sent: string[] = [];
    const failing = {
      get: () => {},
      async write() {
        sent.push("write");
        if (sent.length > 1) return;
        await held.opened;
        throw new Error("the line is cut");
      },
    } as unknown as Storage;
    const objects = new DigestObjects(failing, 1e6, Number.POSITIVE_INFINITY);
    const path = StoragePath.parse(`memory://claims/${made++}/object`);
    const first = objects.store(path, BIG, { rememberMs: 60_000 });
    const second = objects.store(path, BIG, { rememberMs: 60_000 });
    const impatient = new AbortController();
    const third = objects.store(path, BIG, { rememberMs: 60_000, signal: impatient.signal });
    impatient.abort("enough");
    await expect(third).rejects.toBe("enough");
    held.open();
    await expect(first).rejects.toThrow("the line is cut");
    await second;
    await objects.store(path, BIG, { rememberMs: 60_000 });
    expect(sent).toEqual(["write", "write"]);
  });

  test("with unique is stored each time", async () => {
    const claims = claimsAt({ remember: "1h" });
    await claims.put(BIG, { unique: true });
    expect(await seen(() => claims.put(BIG, { unique: true }))).toEqual(["write"]);
  });

  test("is refused for an aborted signal, remembered or not", async () => {
    const claims = claimsAt();
    await claims.put(BIG);
    await expect(claims.put(BIG, { signal: AbortSignal.abort("enough") })).rejects.toBe("enough");
  });

  test("is written again at refreshAfter, counted from the write, not from the last look", async () => {
    const claims = claimsAt({ refreshAfter: "1d" });
    const { url } = await claims.put(BIG);
    const { etag } = await storage.stat(url);
    pass(86_400_000 - 10_000);
    expect(await seen(() => claims.put(BIG))).toEqual(REPEATED);
    expect(await seen(() => claims.put(BIG))).toEqual([]);
    pass(10_000);
    expect(await seen(() => claims.put(BIG))).toEqual([...REPEATED, "write"]);
    expect((await storage.stat(url)).etag).not.toBe(etag);
  });

  test("is looked at after the clock was set back", async () => {
    const claims = claimsAt();
    await claims.put(BIG);
    pass(-3_600_000);
    expect(await seen(() => claims.put(BIG))).toEqual(REPEATED);
  });

  test("is looked at once a thousand others have been stored", async () => {
    const claims = claimsAt();
    await claims.put(BIG);
    for (let i = 1; i < 1000; i++) await claims.put(Buffer.from(`value ${i}`));
    expect(await seen(() => claims.put(BIG))).toEqual([]);
    await claims.put(Buffer.from("value 1000"));
    expect(await seen(() => claims.put(BIG))).toEqual(REPEATED);
  });
});

describe("what is remembered is forgotten", () => {
  test("with remove and removeScope", async () => {
    const claims = claimsAt({ remember: "1m" });
    const claim = await claims.put(BIG);
    await claims.remove(claim);
    expect(await seen(() => claims.put(BIG))).toEqual(["write"]);
    await claims.put(BIG, { scope: ["t"] });
    await claims.removeScope(["t"]);
    expect(await seen(() => claims.put(BIG, { scope: ["t"] }))).toEqual(["write"]);
  });

  test.each([
    ["missing", (url: string) => storage.delete(url), "NotFound"],
    ["damaged", (url: string) => storage.write(url, "cut"), "Corrupt"],
  ] as const)("when a read finds the object %s", async (_, change, code) => {
    const claims = claimsAt();
    const claim = await claims.put(BIG);
    await change(claim.url);
    await expect(claims.get(claim)).rejects.toMatchObject({ code });
    await claims.put(BIG);
    expect((await claims.get(claim)).byteLength).toBe(1000);
  });

  test("by a store that was under way during a deletion", async () => {
    const written = gate();
    const answered = gate();
    let held = true;
    const slow = {
      ...{ get: storage.get.bind(storage), stat: storage.stat.bind(storage), delete: storage.delete.bind(storage) },
      async write(...call: Parameters<Storage["write"]>) {
        const result = await storage.write(...call);
        written.open();
        if (held) await answered.opened;
        return result;
      },
    } as unknown as Storage;
    const objects = new DigestObjects(slow, 1e6, Number.POSITIVE_INFINITY);
    const path = StoragePath.parse(`memory://claims/${made++}/object`);
    const store = objects.store(path, BIG, { rememberMs: 60_000 });
    await written.opened;
    await objects.delete(path, {});
    answered.open();
    await store;
    held = false;
    expect(await storage.exists(path)).toBe(false);
    await objects.store(path, BIG, { rememberMs: 60_000 });
    expect(await storage.exists(path)).toBe(true);
  });
});

describe("LangGraph", () => {
  /** What a checkpointer does in a step: stores the value of a task, and again the value of the checkpoint. */
  function saver(path: string, remember?: string): CheckpointSaver & { step(document: string): Promise<void> } {
    const serde = {
      dumpsTyped: async (value: unknown) => ["json", Buffer.from(JSON.stringify(value))] as [string, Uint8Array],
      loadsTyped: async (_: string, data: Uint8Array | string) => JSON.parse(String(data)) as unknown,
    };
    const thread = { configurable: { thread_id: "1" } };
    const made = {
      serde,
      async put(_config: unknown, document: string) {
        await this.serde.dumpsTyped(document);
      },
      async putWrites(_config: unknown, document: string) {
        await this.serde.dumpsTyped(document);
      },
      async deleteThread() {},
      async step(document: string) {
        await this.putWrites(thread, document);
        await this.put(thread, document);
      },
    };
    return offload(made as never, { storage, path, threshold: 10, remember }) as never;
  }

  test("a document of a thread that another process has deleted is stored again at once", async () => {
    const path = `memory://langgraph/${made++}`;
    const checkpointer = saver(path);
    await checkpointer.step("a".repeat(100));
    await saver(path).deleteThread("1");
    expect(await seen(() => checkpointer.step("a".repeat(100)))).toEqual(["write", ...REPEATED]);
  });

  test("with remember a document of a step is one write, and a deleted thread is stored anew", async () => {
    const path = `memory://langgraph/${made++}`;
    const checkpointer = saver(path, "10s");
    expect(await seen(() => checkpointer.step("a".repeat(100)))).toEqual(["write"]);
    expect(await seen(() => checkpointer.step("b".repeat(100)))).toEqual(["write"]);
    await checkpointer.deleteThread("1");
    expect(await seen(() => checkpointer.step("b".repeat(100)))).toEqual(["write"]);
    await saver(path).deleteThread("1");
    pass(10_000);
    expect(await seen(() => checkpointer.step("b".repeat(100)))).toEqual(["write"]);
  });
});
