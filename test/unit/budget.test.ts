import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { memoryLimiter } from "../../src/concurrency.js";

const settled = async (promise: Promise<unknown>) => {
  let done = false;
  promise.then(
    () => (done = true),
    () => (done = true),
  );
  for (let i = 0; i < 10; i++) await Promise.resolve();
  return done;
};

describe("byteBudget", () => {
  test("grants in the order of asking: a small request never overtakes a large one that waits", async () => {
    const budget = memoryLimiter(10);
    const first = await budget.acquire(6);
    const large = budget.acquire(8);
    const small = budget.acquire(1);
    expect(await settled(small)).toBe(false);
    first();
    const release = await large;
    await small;
    release();
  });

  test("grants a request above the limit alone, after everything else is back", async () => {
    const budget = memoryLimiter(10);
    const one = await budget.acquire(1);
    const huge = budget.acquire(100);
    expect(await settled(huge)).toBe(false);
    one();
    const release = await huge;
    const next = budget.acquire(1);
    expect(await settled(next)).toBe(false);
    release();
    await next;
  });

  test("an aborted wait rejects with the reason, holds nothing and lets the next through", async () => {
    const budget = memoryLimiter(10, Number.POSITIVE_INFINITY);
    const half = await budget.acquire(5);
    const abort = new AbortController();
    const waiting = budget.acquire(20, abort.signal);
    const behind = budget.acquire(5);
    abort.abort("enough");
    await expect(waiting).rejects.toBe("enough");
    (await behind)();
    half();
    (await budget.acquire(10))();
    await expect(budget.acquire(1, abort.signal)).rejects.toBe("enough");
  });

  test("giving back twice counts once", async () => {
    const budget = memoryLimiter(10);
    const a = await budget.acquire(5);
    await budget.acquire(5);
    a();
    a();
    await budget.acquire(5);
    expect(await settled(budget.acquire(1))).toBe(false);
  });

  test("holders that wait for each other are untied: without any return for a while, one waiter is let through", async () => {
    const budget = memoryLimiter(10, 20);
    await budget.acquire(10);
    const before = performance.now();
    await budget.acquire(10);
    expect(performance.now() - before).toBeGreaterThan(15);
  });

  test("random takes, returns and aborts: never over the limit, and nobody is forgotten", async () => {
    const step = fc.record({ bytes: fc.integer({ min: 1, max: 10 }), abort: fc.boolean(), hold: fc.nat(5) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const budget = memoryLimiter(10, Number.POSITIVE_INFINITY);
        let used = 0;
        let most = 0;
        const tasks = steps.map(async ({ bytes, abort, hold }) => {
          const control = new AbortController();
          if (abort) setImmediate(() => control.abort());
          const release = await budget.acquire(bytes, control.signal).catch(() => undefined);
          if (!release) return;
          used += bytes;
          most = Math.max(most, used);
          for (let i = 0; i < hold; i++) await new Promise(setImmediate);
          used -= bytes;
          release();
        });
        await Promise.all(tasks);
        (await budget.acquire(10))();
        expect(most).toBeLessThanOrEqual(10);
      }),
      { numRuns: 100 },
    );
  });
});

describe("buffers", () => {
  test("go from one holder to the next", async () => {
    const limiter = memoryLimiter(100);
    const first = await limiter.acquireBuffer(40);
    first.release();
    first.release();
    const again = await limiter.acquireBuffer(40);
    const other = await limiter.acquireBuffer(40);
    expect([again.data === first.data, other.data === first.data]).toEqual([true, false]);
  });
  test("in use and idle are never more than the limit", async () => {
    const limiter = memoryLimiter(100);
    const held = await Promise.all([30, 30, 40].map((bytes) => limiter.acquireBuffer(bytes)));
    for (const { release } of held) release();
    // Room for this one is made by the buffers that waited longest: both of 30.
    const large = await limiter.acquireBuffer(60);
    const kept = await limiter.acquireBuffer(40);
    large.release();
    const fresh = await limiter.acquireBuffer(30);
    const seen = held.map(({ data }) => data);
    expect([seen.includes(large.data), kept.data === seen[2], seen.includes(fresh.data)]).toEqual([false, true, false]);
  });
  test.each([10, 100, 1000])("of %d uploads at once are as many as the limit holds", async (uploads) => {
    const made = vi.spyOn(Buffer, "allocUnsafeSlow");
    const limiter = memoryLimiter(64);
    const upload = async () => {
      for (let part = 0; part < 3; part++) {
        const { release } = await limiter.acquireBuffer(8);
        await new Promise((resolve) => setImmediate(resolve));
        release();
      }
    };
    await Promise.all(Array.from({ length: uploads }, upload));
    expect(made).toHaveBeenCalledTimes(8);
    made.mockRestore();
  });
});
