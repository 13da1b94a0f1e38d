import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AdaptiveConcurrency } from "../../../../src/fs/driver/adaptive-concurrency.js";

const UNIT = 8 * 2 ** 20;
/** 80 MiB/s in bytes per millisecond. */
const RATE = (80 * 2 ** 20) / 1000;

/** Moves `units` at the rate that so many requests get together; returns the limits on the way. */
function moved(lanes: AdaptiveConcurrency, units: number, rateOf: (limit: number) => number, from = 0): number[] {
  const limits = [lanes.limit];
  const step = UNIT / 32;
  let now = from;
  for (let bytes = 0; bytes < units * UNIT; bytes += step) {
    now += step / rateOf(lanes.limit);
    lanes.recordBytes(step, now);
    if (limits.at(-1) !== lanes.limit) limits.push(lanes.limit);
  }
  return limits;
}

describe("how many requests are in flight", () => {
  test("doubles while that pays, up to the most", () => {
    expect(moved(new AdaptiveConcurrency(16, UNIT), 100, (n) => n * RATE)).toEqual([1, 4, 8, 16]);
    expect(moved(new AdaptiveConcurrency(6, UNIT), 100, (n) => n * RATE)).toEqual([1, 4, 6]);
  });

  test("stays at one request that is fast already", () => {
    expect(moved(new AdaptiveConcurrency(16, UNIT), 100, () => 3 * RATE)).toEqual([1]);
  });

  test("steps back from what does not pay, and tries one more now and then", () => {
    const lanes = new AdaptiveConcurrency(16, UNIT);
    expect(moved(lanes, 100, (n) => Math.min(n, 4) * RATE).slice(0, 4)).toEqual([1, 4, 8, 4]);
    const later = moved(lanes, 2000, (n) => Math.min(n, 4) * RATE);
    expect(Math.max(...later)).toBe(5);
    // Each wait is twice as long as the one before.
    expect(later.length).toBeLessThan(12);
  });

  test("goes back to one where more are slower", () => {
    expect(moved(new AdaptiveConcurrency(16, UNIT), 10, (n) => RATE / n)).toEqual([1, 4, 1]);
  });

  test("adds one at a time after it stepped back", () => {
    const lanes = new AdaptiveConcurrency(16, UNIT);
    moved(lanes, 30, (n) => Math.min(n, 4) * RATE);
    expect(lanes.limit).toBe(4);
    const limits = moved(lanes, 400, (n) => n * RATE);
    expect(limits.slice(0, 4)).toEqual([4, 5, 6, 7]);
  });

  test("halves when refused, once for all that are refused together, and never below one", () => {
    const lanes = new AdaptiveConcurrency(16, UNIT, 16);
    for (let i = 0; i < 10; i++) lanes.recordRefusal();
    expect(lanes.limit).toBe(8);
    moved(lanes, 9, (n) => n * RATE);
    lanes.recordRefusal();
    expect(lanes.limit).toBe(4);
    for (let i = 0; i < 10; i++) {
      moved(lanes, 9, (n) => n * RATE);
      lanes.recordRefusal();
    }
    expect(lanes.limit).toBe(1);
  });

  test("is from one to the most whatever happens", () => {
    const event = fc.oneof(fc.constant("refused" as const), fc.record({ bytes: fc.nat(4 * UNIT), ms: fc.nat(500) }));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(event, { maxLength: 200 }), (most, events) => {
        const lanes = new AdaptiveConcurrency(most, UNIT, 4);
        let now = 0;
        for (const one of events) {
          if (one === "refused") lanes.recordRefusal();
          else {
            now += one.ms;
            lanes.recordBytes(one.bytes, now);
          }
          expect(lanes.limit).toBeGreaterThanOrEqual(1);
          expect(lanes.limit).toBeLessThanOrEqual(most);
        }
      }),
    );
  });
});
