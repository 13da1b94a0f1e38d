import { Writable } from "node:stream";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Output } from "../../../src/cli/format.js";
import { bytes, duration, printable, wrapped } from "../../../src/cli/format.js";
import { line, PhaseProgress, Progress, phaseLine } from "../../../src/cli/progress.js";

const MIB = 2 ** 20;

function output(terminal: boolean): { out: Output; text: () => string } {
  let text = "";
  const stream = new Writable({
    write(chunk, _, done) {
      text += chunk;
      done();
    },
  });
  return { out: { stream, terminal, color: false, columns: 80 }, text: () => text };
}

describe("the line", () => {
  test("has bar, share, amount, rate and the time that is left", () => {
    expect(line("a.bin", { done: 30 * MIB, total: 120 * MIB, seconds: 3 }, 80)).toBe(
      `a.bin ${"█".repeat(5)}${"░".repeat(13)}  25% 30.0 MiB/120 MiB 10.0 MiB/s ETA 0:09`,
    );
  });

  test("of an unknown total has no bar, and the time that has passed", () => {
    expect(line("a.bin", { done: 30 * MIB, total: undefined, seconds: 65 }, 80)).toBe("a.bin 30.0 MiB 473 KiB/s 1:05");
  });

  test("of many files has their number", () => {
    const state = { done: 30 * MIB, files: 7, total: undefined, seconds: 65 };
    expect(line("site", state, 80)).toBe("site 7 files 30.0 MiB 473 KiB/s 1:05");
    expect(line("site", { ...state, done: 0 }, 80)).toBe("site 7 files 1:05");
  });

  test("never reaches the last column, where a terminal would wrap", () => {
    const state = fc.record({
      done: fc.nat(2 ** 50),
      total: fc.option(fc.nat(2 ** 50), { nil: undefined }),
      seconds: fc.double({ min: 0, max: 1e7, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.string(), state, fc.integer({ min: 1, max: 300 }), (label, at, columns) => {
        expect(line(label, at, columns).length).toBeLessThan(Math.max(1, columns));
      }),
    );
  });
});

describe("the bar", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
  afterEach(() => void vi.useRealTimers());

  test("appears on a terminal after a moment, is redrawn ten times a second at most, and goes away", () => {
    const { out, text } = output(true);
    const bar = new Progress(out, "a.bin", 100);
    for (let at = 0; at <= 100; at++) {
      vi.advanceTimersByTime(10);
      bar.at(at);
    }
    expect(text().split("\r").length - 1).toBeLessThanOrEqual(8);
    expect(text()).toContain("%");
    bar.end();
    expect(text().endsWith("\r\u001b[K")).toBe(true);
  });

  test("is not there for a short transfer", () => {
    const { out, text } = output(true);
    const bar = new Progress(out, "a.bin", 100);
    vi.advanceTimersByTime(150);
    bar.at(100);
    bar.end();
    expect(text()).toBe("");
  });

  test("is not there in a pipe", () => {
    const { out, text } = output(false);
    const bar = new Progress(out, "a.bin", 100);
    vi.advanceTimersByTime(5000);
    bar.at(50);
    bar.end();
    expect(text()).toBe("");
  });
});

describe("the line of an operation", () => {
  test("has its phase, the number and bytes so far, and the time", () => {
    const listing = { phase: "list", count: 1_234_000, bytes: 3 * 2 ** 30 } as const;
    expect(phaseLine(listing, 12, 80)).toBe("listing 1,234,000 objects, 3.0 GiB 0:12");
    expect(phaseLine({ phase: "references", count: 1, bytes: 0 }, 65, 80)).toBe("reading 1 reference 1:05");
  });

  test("has a bar, the share and the time left where the total is known", () => {
    const removing = { phase: "remove", count: 2500, total: 10_000, bytes: 5 * MIB } as const;
    expect(phaseLine(removing, 10, 80)).toBe(
      `removing ${"█".repeat(6)}${"░".repeat(18)} 25% 2,500 of 10,000 objects, 5.0 MiB ETA 0:30`,
    );
    expect(phaseLine({ ...removing, total: 0 }, 10, 80)).not.toContain("NaN");
  });

  test("never reaches the last column", () => {
    const progress = fc.record({
      phase: fc.constantFrom("list", "references", "compare", "remove", "check", "migrate"),
      count: fc.nat(2 ** 40),
      total: fc.option(fc.nat(2 ** 40), { nil: undefined }),
      bytes: fc.nat(2 ** 50),
    });
    fc.assert(
      fc.property(
        progress,
        fc.double({ min: 0, max: 1e7, noNaN: true }),
        fc.integer({ min: 1, max: 300 }),
        (at, seconds, columns) => {
          expect(phaseLine(at as never, seconds, columns).length).toBeLessThan(Math.max(1, columns));
        },
      ),
    );
  });

  test("begins its time anew with each phase, and is not there in a pipe", () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const { out, text } = output(true);
    const progress = new PhaseProgress(out);
    vi.advanceTimersByTime(60_000);
    progress.at({ phase: "list", count: 5, bytes: 10 });
    vi.advanceTimersByTime(2000);
    progress.at({ phase: "references", count: 7, bytes: 0 });
    vi.advanceTimersByTime(3000);
    progress.at({ phase: "references", count: 8, bytes: 0 });
    progress.end();
    expect(text()).toBe(
      "\rlisting 5 objects, 10 B 1:00\u001b[K\rreading 7 references 0:00\u001b[K\rreading 8 references 0:03\u001b[K\r\u001b[K",
    );
    const pipe = output(false);
    const silent = new PhaseProgress(pipe.out);
    vi.advanceTimersByTime(60_000);
    silent.at({ phase: "list", count: 5, bytes: 10 });
    silent.end();
    vi.useRealTimers();
    expect(pipe.text()).toBe("");
  });
});

describe("numbers and text", () => {
  test.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [102_349, "100 KiB"],
    [1_048_575, "1023 KiB"],
    [8 * MIB, "8.0 MiB"],
    [5.5 * 2 ** 40, "5.5 TiB"],
  ])("%i bytes are %s", (count, text) => expect(bytes(count)).toBe(text));

  test.each([
    [0, "0:00"],
    [59.6, "1:00"],
    [3725, "1:02:05"],
  ])("%d seconds are %s", (seconds, text) => expect(duration(seconds)).toBe(text));

  test("what could move the cursor or turn the direction of text is shown as its code", () => {
    expect(printable("a\u001b[2Jb\r\u009bc\u202ed")).toBe("a\\x1b[2Jb\\x0d\\x9bc\\u202ed");
  });

  test("long text breaks at spaces below its own start; a long word stays whole", () => {
    const { out } = output(true);
    const text = wrapped({ ...out, columns: 40 }, 10, `one two three four five six seven ${"x".repeat(40)} end`);
    expect(text).toBe(`one two three four five six\n          seven\n          ${"x".repeat(40)}\n          end`);
    expect(wrapped({ ...out, columns: undefined }, 10, "a ".repeat(500))).toBe("a ".repeat(500));
  });
});
