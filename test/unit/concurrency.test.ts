/** Work on many items, several at a time. */
import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { forEachConcurrent } from "../../src/concurrency.js";

/** Items, and an error after them. */
async function* items(count: number, error?: Error): AsyncGenerator<number, void, undefined> {
  for (let i = 0; i < count; i++) yield i;
  if (error) throw error;
}

/** Work that ends when `release` is called. */
function held() {
  const running = new Map<number, () => void>();
  const work = (item: number) => new Promise<void>((done) => running.set(item, done));
  return { running, work };
}

const turn = () => new Promise((done) => setImmediate(done));

describe("forEachConcurrent", () => {
  test("runs no more than so many at a time, and all in the end", async () => {
    const { running, work } = held();
    const seen: number[] = [];
    const all = forEachConcurrent(items(7), { concurrency: 3 }, async (item) => {
      await work(item);
      seen.push(item);
    });
    for (let left = 7; left > 0; left--) {
      await turn();
      expect(running.size).toBe(Math.min(3, left));
      const [[item, done]] = [...running] as [[number, () => void]];
      running.delete(item);
      done();
    }
    await all;
    expect(seen.sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test.each([
    ["the items", items(2, new Error("source")), "source"],
    ["the work", items(2), "work"],
  ])("a failure of %s is thrown when what runs has ended, not before", async (_, source, message) => {
    const { running, work } = held();
    let isSettled = false;
    const all = forEachConcurrent(source, { concurrency: 4 }, async (item) => {
      if (item === 1 && message === "work") throw new Error("work");
      await work(item);
    }).finally(() => {
      isSettled = true;
    });
    const outcome = expect(all).rejects.toThrow(message);
    await turn();
    expect(isSettled).toBe(false);
    for (const done of running.values()) done();
    await outcome;
  });

  test("begins nothing after a failure or an abort, and closes the items", async () => {
    let isClosed = false;
    const endless = async function* () {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        isClosed = true;
      }
    };
    const begun: number[] = [];
    const failing = async (item: number) => {
      begun.push(item);
      throw new Error("work");
    };
    await expect(forEachConcurrent(endless(), { concurrency: 1 }, failing)).rejects.toThrow("work");
    expect({ begun, isClosed }).toEqual({ begun: [0], isClosed: true });
    const stop = new AbortController();
    const aborting = async () => stop.abort(new Error("enough"));
    const { signal } = stop;
    await expect(forEachConcurrent(endless(), { concurrency: 1, signal }, aborting)).rejects.toThrow("enough");
  });

  test.each([
    ["the work", items(3), undefined],
    ["the items", items(2, new Error("first")), undefined],
    ["the caller", items(3), new AbortController()],
  ])("the first failure ends what runs by its signal, one of %s too", async (_, source, outer) => {
    const reasons: unknown[] = [];
    const all = forEachConcurrent(source, { concurrency: 4, signal: outer?.signal }, async (item, signal) => {
      if (item === 2) {
        if (!outer) throw new Error("first");
        return outer.abort(new Error("first"));
      }
      await new Promise((done) => signal.addEventListener("abort", done));
      reasons.push(signal.reason);
      throw new Error("a consequence");
    });
    await expect(all).rejects.toThrow("first");
    expect(reasons).toEqual([new Error("first"), new Error("first")]);
  });

  test("leaves no listener at the caller's signal", async () => {
    const { signal } = new AbortController();
    await forEachConcurrent([1, 2], { concurrency: 2, signal }, async () => {});
    await expect(forEachConcurrent([1], { concurrency: 2, signal }, () => Promise.reject(1))).rejects.toBe(1);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("keeps nothing of the items that pass one that takes long", async () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage: () => void = runInNewContext("gc");
    const { running, work } = held();
    const heap: number[] = [];
    await forEachConcurrent(items(100_001), { concurrency: 32 }, async (item) => {
      if (item === 0) return work(item);
      await turn();
      if (item % 50_000 > 0) return;
      collectGarbage();
      if (heap.push(process.memoryUsage().heapUsed) === 2) running.get(0)!();
    });
    // 300 bytes for each of 50,000 items would be 15 MB.
    expect(heap[1]! - heap[0]!).toBeLessThan(3e6);
  });
});
