import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Watchdog } from "../../../../src/fs/http/exchange.js";

class Waiting {
  limit = 0;
  slot = -1;
  called = 0;

  overdue(): void {
    this.called++;
    this.limit = Number.POSITIVE_INFINITY;
  }
}

const tick = () => new Promise((resolve) => setTimeout(resolve, 30));

describe("the watch over exchanges", () => {
  it("calls each that is left once, and none that has ended, in whatever order they ended and how often", async () => {
    const ends = fc.array(fc.nat(11), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), ends, async (count, ended) => {
        const watch = new Watchdog(1);
        const all = Array.from({ length: count }, () => new Waiting());
        for (const one of all) watch.add(one);
        for (const index of ended) if (all[index]) watch.delete(all[index]);
        await tick();
        expect(all.map(({ called }) => called)).toEqual(all.map((_, index) => (ended.includes(index) ? 0 : 1)));
        for (const one of all) watch.delete(one);
      }),
      { numRuns: 30 },
    );
  });

  it("calls all that are overdue together, although each of them leaves", async () => {
    const watch = new Watchdog(1);
    const all = Array.from({ length: 5 }, () => new Waiting());
    for (const one of all) {
      one.overdue = () => {
        one.called++;
        watch.delete(one);
      };
      watch.add(one);
    }
    await tick();
    expect(all.map(({ called }) => called)).toEqual([1, 1, 1, 1, 1]);
  });
});
