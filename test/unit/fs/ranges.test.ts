import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memoryLimiter } from "../../../src/concurrency.js";
import { failure } from "../../../src/errors.js";
import type { Driver, DriverReadOptions } from "../../../src/fs/driver/driver.js";
import { fetchRanges } from "../../../src/fs/read-ranges.js";
import type { ByteStream } from "../../../src/streams.js";

const KIB = 1024;
const MIB = 2 ** 20;
const DATA = Buffer.alloc(40 * MIB);
for (let at = 0; at < DATA.byteLength; at += 4) DATA.writeUInt32LE((at * 2654435761) >>> 0, at);

interface Asked {
  start: number;
  end: number | undefined;
  ifMatch: string | undefined;
}

/** Chunks of 1 MiB; tells when nobody needs the line any more, however it ended. */
function closing(data: Uint8Array, signal: AbortSignal | undefined, close: () => void): ByteStream {
  let at = 0;
  let open = true;
  const end = () => {
    if (open) close();
    open = false;
    return { done: true as const, value: undefined };
  };
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        if (signal?.aborted) {
          end();
          throw signal.reason;
        }
        if (at >= data.byteLength) return end();
        at += MIB;
        return { done: false as const, value: data.subarray(at - MIB, at) };
      },
      return: async () => end(),
    }),
  };
}

/** An object in memory that notes what it is asked. */
function source(size = DATA.byteLength, on: (asked: Asked[]) => string | undefined = () => undefined) {
  const asked: Asked[] = [];
  let open = 0;
  const state = { asked, most: 0, open: () => open };
  const driver = {
    async read(_key: string, { start, end, ifMatch, signal }: DriverReadOptions) {
      asked.push({ start, end, ifMatch });
      const etag = on(asked) ?? "1";
      if (ifMatch !== undefined && ifMatch !== etag) throw failure("PreconditionFailed", "no");
      state.most = Math.max(state.most, ++open);
      await new Promise((resolve) => setTimeout(resolve, 2));
      const body = closing(DATA.subarray(0, size).subarray(start, end), signal, () => {
        open -= 1;
      });
      return { info: { key: "k", size, modified: new Date(0), etag }, body };
    },
    codeOf: () => "Unavailable",
  } as unknown as Driver;
  return { driver, state };
}

const fetch = (driver: Driver, ranges: { start: number; end: number | undefined }[], more = {}) =>
  fetchRanges(driver, "k", ranges, { limiter: memoryLimiter(), ...more });

/** Longer than this source takes to answer. */
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));

const r = (start: number, end?: number) => ({ start, end });

describe("ranges", () => {
  test.each([
    ["disjoint and far", [r(0, 10), r(5 * MIB, 5 * MIB + 10)], 2],
    ["adjacent", [r(0, 10), r(10, 20)], 1],
    ["a gap of the limit", [r(0, 10), r(10 + MIB, 20 + MIB)], 1],
    ["a gap of the limit and one byte", [r(0, 10), r(11 + MIB, 20 + MIB)], 2],
    ["overlapping", [r(0, 100), r(50, 150)], 1],
    ["one inside another", [r(0, 1000), r(10, 20), r(900, 910)], 1],
    ["duplicate", [r(5, 9), r(5, 9)], 1],
    ["unsorted", [r(30 * MIB, 30 * MIB + 3), r(7, 9), r(10 * MIB, 10 * MIB + 4), r(0, 3)], 3],
    ["empty ones", [r(3, 3), r(0, 0)], 0],
    ["none", [], 0],
    ["to the end", [r(39 * MIB), r(40 * MIB - 5)], 1],
  ])("R19 %s: results in the order asked for, in as few requests as may be", async (_name, ranges, requests) => {
    const { driver, state } = source();
    const results = await fetch(driver, ranges);
    expect(results.length).toBe(ranges.length);
    results.forEach((data, i) => {
      expect(Buffer.compare(data, DATA.subarray(ranges[i]!.start, ranges[i]!.end))).toBe(0);
    });
    expect(state.asked.length).toBe(requests);
    expect(state.open()).toBe(0);
  });

  test("R20 a request for several ranges never has more than 16 MiB, a single range may", async () => {
    const { driver, state } = source();
    const near = Array.from({ length: 40 }, (_, i) => r(i * MIB, i * MIB + 512 * KIB));
    await fetch(driver, near);
    expect(state.asked.every(({ start, end }) => end! - start <= 16 * MIB)).toBe(true);
    expect(state.asked.length).toBe(3);
    const single = source();
    await fetch(single.driver, [r(0, 20 * MIB)]);
    expect(single.state.asked.length).toBe(1);
  });

  test("R21 what lies past the end is cut off in its own range only, and sends nothing when it is all of it", async () => {
    const { driver, state } = source(1000);
    const results = await fetch(driver, [r(990, 2000), r(3 * MIB, 4 * MIB), r(0, 4), r(1000, 1001)]);
    expect(results.map((data) => data.byteLength)).toEqual([10, 0, 4, 0]);
    expect(state.asked.length).toBe(1);
    expect((await fetch(source(10).driver, [r(50, 60)]))[0]!.byteLength).toBe(0);
  });

  test("R22 all ranges have the version of the first answer; a replacement in between is ObjectChanged", async () => {
    const far = Array.from({ length: 8 }, (_, i) => r(i * 5 * MIB, i * 5 * MIB + 9));
    const { driver, state } = source();
    await fetch(driver, far);
    expect(state.asked.slice(1).every(({ ifMatch }) => ifMatch === "1")).toBe(true);
    const changing = source(DATA.byteLength, (asked) => (asked.length > 4 ? "2" : "1"));
    await expect(fetch(changing.driver, far)).rejects.toMatchObject({ code: "ObjectChanged" });
    await pause();
    expect(changing.state.open()).toBe(0);
  });

  test("at most 10 requests are in flight", async () => {
    const { driver, state } = source();
    await fetch(
      driver,
      Array.from({ length: 19 }, (_, i) => r(i * 2 * MIB, i * 2 * MIB + 9)),
    );
    expect(state.asked.length).toBe(19);
    expect(state.most).toBe(10);
  });

  test("results share no memory, so that changing one changes no other", async () => {
    const [a, b] = await fetch(source().driver, [r(0, 10), r(5, 15)]);
    a!.fill(0);
    expect(Buffer.compare(b!, DATA.subarray(5, 15))).toBe(0);
  });

  test("an abort frees every line", async () => {
    const { driver, state } = source();
    const abort = new AbortController();
    const far = Array.from({ length: 8 }, (_, i) => r(i * 5 * MIB, i * 5 * MIB + 9));
    setTimeout(() => abort.abort("enough"), 3);
    await expect(fetch(driver, far, { signal: abort.signal })).rejects.toBe("enough");
    await pause();
    expect(state.open()).toBe(0);
  });

  test("random ranges equal slices of the object", async () => {
    const size = 6 * MIB;
    const range = fc
      .tuple(fc.nat(7 * MIB), fc.oneof(fc.nat(3000), fc.nat(7 * MIB)), fc.boolean())
      .map(([start, length, open]) => r(start, open ? undefined : start + length));
    await fc.assert(
      fc.asyncProperty(fc.array(range, { maxLength: 8 }), async (ranges) => {
        const { driver, state } = source(size);
        const results = await fetch(driver, ranges);
        results.forEach((data, i) => {
          const { start, end } = ranges[i]!;
          expect(Buffer.compare(data, DATA.subarray(0, size).subarray(start, end))).toBe(0);
        });
        expect(state.asked.length).toBeLessThanOrEqual(Math.max(1, ranges.length));
      }),
      { numRuns: 100 },
    );
  });
});
