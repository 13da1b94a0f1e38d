import { Writable } from "node:stream";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Output } from "../../../src/cli/format.js";
import { bytes, duration, printable, wrapped } from "../../../src/cli/format.js";
import { line, Progress } from "../../../src/cli/progress.js";

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
