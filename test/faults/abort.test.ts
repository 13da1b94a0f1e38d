/** F33: an abort at each request of each call, which is never answered then. */
import { once } from "node:events";
import { expect, test } from "vitest";
import { isStorageError } from "../../src/errors.js";
import { during, type Fault } from "../support/faults.js";
import { content, MIB, type Place } from "./place.js";
import { onEveryCloud } from "./suite.js";

const OLD = content(1, 300_000);
const NEW = content(2, 300_000);
const LARGE = content(3, 20 * MIB);
const NAMES = ["x", "y", "z"];
/** Milliseconds on a busy machine; whoever waits for an answer waits for ten seconds. */
const AT_ONCE = 1000;
/** More requests than any of the calls has. */
const MOST = 12;

async function* pieces(data: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += MIB) yield data.subarray(at, at + MIB);
}

async function all(of: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of of);
}

type Run = (place: Place, signal: AbortSignal) => Promise<unknown>;

const CALLS: Record<string, Run> = {
  read: ({ storage, at }, signal) => all(storage.read(at("x"), { signal })),
  "bytes in ranges": ({ storage, at }, signal) => storage.bytes(at("large"), { parallel: 3, signal }),
  stat: ({ storage, at }, signal) => storage.stat(at("x"), { signal }),
  list: ({ storage, at }, signal) => all(storage.list(at(""), { signal })),
  glob: ({ storage, at }, signal) => all(storage.glob(at("*/*"), { signal })),
  write: ({ storage, at }, signal) => storage.write(at("x"), NEW, { signal }),
  "write in parts": ({ storage, at }, signal) => storage.write(at("x"), pieces(LARGE), { signal }),
  "write in parts if absent": ({ storage, at }, signal) =>
    storage.write(at("new"), pieces(LARGE), { signal, ifAbsent: true }),
  copy: ({ storage, at }, signal) => storage.copy(at("y"), at("x"), { signal }),
  move: ({ storage, at }, signal) => storage.move(at("y"), at("x"), { signal }),
  delete: ({ storage, at }, signal) => storage.delete(at("x"), { signal }),
  "delete of many": ({ storage, at }, signal) => storage.delete(NAMES.map(at), { signal }),
  "recursive delete": ({ storage, at }, signal) => storage.delete(at(""), { recursive: true, signal }),
};

await onEveryCloud("F33: aborts", ({ provider, tally, place }) => {
  let slowest = 0;

  test.each(Object.entries(CALLS))("at each request of: %s", async (name, run) => {
    for (let skip = 0; skip < MOST; skip++) {
      const at = await place();
      await Promise.all(NAMES.map((one) => at.direct.write(at.at(one), OLD)));
      if (name.startsWith("bytes")) await at.direct.write(at.at("large"), LARGE);
      const took = await aborted(at, skip, run);
      const stored = await at.found("x", OLD, NEW, LARGE);
      expect(stored, "neither old nor new").not.toBeNaN();
      if (!/delete|write in parts/.test(name)) expect(stored).toBeGreaterThanOrEqual(0);
      if (name === "write in parts") expect([0, ...(took === undefined ? [2] : [])]).toContain(stored);
      await at.leave();
      if (took === undefined) return;
      slowest = Math.max(slowest, took);
      tally.count(name, "rejected with the reason");
      expect(took, `after request ${skip}`).toBeLessThan(AT_ONCE);
    }
    throw new Error("a call with more requests than this test looks at");
  });

  test.each([1, 9 * MIB])("while a body of %i bytes waits for its producer", async (bytes) => {
    const at = await place();
    await at.direct.write(at.at("x"), OLD);
    const controller = new AbortController();
    async function* stuck(): AsyncGenerator<Uint8Array> {
      yield content(2, bytes);
      setTimeout(() => controller.abort(new Error("enough")), 200);
      await new Promise(() => {});
    }
    const begun = performance.now();
    await expect(at.storage.write(at.at("x"), stuck(), { signal: controller.signal })).rejects.toThrow("enough");
    expect(performance.now() - begun).toBeLessThan(200 + AT_ONCE);
    expect(await at.found("x", OLD)).toBe(0);
    await at.leave();
  });

  test("before the call: nothing is sent", async () => {
    const at = await place();
    for (const run of Object.values(CALLS)) {
      await expect(run(at, AbortSignal.abort(new Error("no")))).rejects.toThrow("no");
    }
    expect(at.proxy.requests).toEqual([]);
    await at.leave();
  });

  test("the slowest rejection is told", () => {
    tally.note(
      `slowest on ${provider.name}: ${Math.round(slowest)} ms from the abort to the rejection, cleaning up included`,
    );
    expect(slowest).toBeGreaterThan(0);
  });
});

/** Milliseconds from the abort at the request after `skip` others to the rejection; undefined when there are fewer. */
async function aborted(place: Place, skip: number, run: Run): Promise<number | undefined> {
  const controller = new AbortController();
  const reason = new Error("enough");
  let at = 0;
  const abort = () => {
    at = performance.now();
    controller.abort(reason);
  };
  // What begins an upload is let through: only its answer says what there is to clean up.
  const begins = { operation: "begin" } as const;
  let count = 0;
  const next = () => count++ === skip;
  place.proxy.plant({ on: (one) => one.operation === begins.operation && next(), fault: during(abort) });
  place.proxy.plant({ on: (one) => one.operation !== begins.operation && next(), fault: unanswered(abort) });
  try {
    await run(place, controller.signal);
  } catch (error) {
    if (error !== reason && isStorageError(error)) throw error;
    expect(error).toBe(reason);
    return performance.now() - at;
  }
  expect(controller.signal.aborted, "the abort was lost").toBe(false);
  return undefined;
}

function unanswered(hook: () => void): Fault {
  return {
    name: "unanswered",
    apply: async ({ request, response }) => {
      request.resume();
      hook();
      if (!response.closed) await once(response, "close");
    },
  };
}
