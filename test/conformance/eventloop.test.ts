import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { codecs } from "../../src/codecs/index.js";
import { chunked, encode, records } from "../support/codecs.js";

/** Milliseconds that a value of up to 64 MiB may hold the event loop; more where the machine is slower than usual. */
const MOST_MS = 20;
/** Milliseconds that {@link referenceWork} takes on an idle machine of 2020 or later. */
const REFERENCE_MS = 20;
/** The longest stretches are the same for every block, so that a few blocks are enough to see them. */
const CONTENT = records(3_000_000);
/** Collecting garbage or compiling may fall into a stretch: the best of some tries counts. */
const TRIES = 6;

/** Milliseconds: of this thread's own work on Linux, so that a busy machine does not count; elsewhere of the clock. */
function clock(): number {
  if (process.platform !== "linux") return performance.now();
  return Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]) / 1e6;
}

/** The longest time between two turns of the event loop while `work` runs. */
async function longestStretch(work: Promise<void>): Promise<number> {
  let longest = 0;
  let busy = true;
  const done = work.finally(() => {
    busy = false;
  });
  for (let last = clock(); busy; ) {
    await setTimeout(1);
    const now = clock();
    longest = Math.max(longest, now - last);
    last = now;
  }
  await done;
  return longest;
}

/** Milliseconds of a fixed piece of work, as much slower as the machine is at this moment. */
function referenceWork(): number {
  const start = clock();
  const table = new Uint32Array(65_536);
  let state = 1;
  for (let i = 0; i < 6_000_000; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    table[state >>> 16]! += state;
  }
  return clock() - start;
}

/** The longest stretch of the best of a few tries, in units of what this machine may take. */
async function best(bytes: () => AsyncIterable<Uint8Array>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < TRIES && least >= 1; turn++) {
    const before = referenceWork();
    const stretch = await longestStretch(drain(bytes()));
    const slowness = Math.max(1, Math.max(before, referenceWork()) / REFERENCE_MS);
    least = Math.min(least, stretch / (MOST_MS * slowness));
  }
  return least;
}

async function drain(bytes: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of bytes);
}

describe.each(codecs.names)("%s lets the event loop turn", (name) => {
  const codec = codecs.get(name);

  it("while it encodes", { timeout: 120_000 }, async () => {
    expect(await best(() => codec.encode(chunked(CONTENT)))).toBeLessThan(1);
  });

  it("while it decodes", { timeout: 120_000 }, async () => {
    const data = await encode(name, CONTENT);
    expect(await best(() => codec.decode(chunked(data)))).toBeLessThan(1);
  });
});
