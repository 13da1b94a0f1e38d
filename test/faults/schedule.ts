/** Schedules of faults as plain values, drawn by a property test, and what may come of one. */
import fc from "fast-check";
import type { ErrorCode } from "../../src/errors.js";
import * as faults from "../support/faults.js";
import { MIB, type Place } from "./place.js";

/** Bytes at which something breaks off: before, at and behind each kind of border. */
const BORDERS = [0, 1, 99, 65_536, 150_000, 299_999, 300_000, 8 * MIB] as const;
const AT_BYTES = {
  resetBody: faults.resetBody,
  resetRequest: faults.resetRequest,
  stallBody: faults.stallBody,
  truncateBody: faults.truncateBody,
  truncateChunked: faults.truncateChunked,
};
const PLAIN = {
  "answer 500": () => faults.answer(500),
  "answer 503": () => faults.answer(503),
  "500 after all": () => faults.answerAfter(500),
  "503 after all": () => faults.answerAfter(503),
  extendBody: () => faults.extendBody(10),
  loseAnswer: faults.loseAnswer,
  resetBeforeHeaders: faults.resetBeforeHeaders,
  stallHeaders: faults.stallHeaders,
};

/** `replaced`: another writer puts its own content at `x` before the request goes on. */
export interface Planned {
  kind: keyof typeof AT_BYTES | keyof typeof PLAIN | "replaced";
  bytes: number;
  skip: number;
  times: number;
}

export const ACTIONS = [
  "write",
  "write of a stream",
  "write in parts",
  "write if absent",
  "write in parts if absent",
  "write if match",
  "write in parts if match",
  "read",
  "read of a range",
  "bytes",
  "bytes in ranges",
  "ranges",
  "list",
  "copy",
  "copy if absent",
  "move",
  "delete",
  "delete of many",
] as const;
export type Action = (typeof ACTIONS)[number];

export interface Schedule {
  action: Action;
  plan: readonly Planned[];
}

const kinds = [...Object.keys(AT_BYTES), ...Object.keys(PLAIN), "replaced"] as Planned["kind"][];
/** Each of these costs more than a second, so they are drawn less often. */
const quick = kinds.filter((kind) => !kind.startsWith("stall"));

const planned: fc.Arbitrary<Planned> = fc.record({
  kind: fc.oneof(
    { arbitrary: fc.constantFrom(...quick), weight: 9 },
    { arbitrary: fc.constantFrom(...kinds), weight: 1 },
  ),
  bytes: fc.constantFrom(...BORDERS),
  // A small call has one request, so a fault that spares the first seldom happens.
  skip: fc.oneof({ arbitrary: fc.constant(0), weight: 3 }, { arbitrary: fc.integer({ min: 1, max: 3 }), weight: 1 }),
  times: fc.integer({ min: 1, max: 2 }),
});

export const schedules: fc.Arbitrary<Schedule> = fc.record({
  action: fc.constantFrom(...ACTIONS),
  plan: fc.array(planned, { minLength: 1, maxLength: 3 }),
});

/** `replace` does what the fault of that name says. */
export function plant(place: Place, plan: readonly Planned[], replace: () => Promise<unknown>): void {
  for (const { skip, times, ...one } of plan) place.proxy.plant({ skip, times, fault: faultOf(one, replace) });
}

function faultOf({ kind, bytes }: Pick<Planned, "kind" | "bytes">, replace: () => Promise<unknown>): faults.Fault {
  if (kind === "replaced") return faults.during(replace, "replaced");
  return kind in PLAIN ? PLAIN[kind as keyof typeof PLAIN]() : AT_BYTES[kind as keyof typeof AT_BYTES](bytes);
}

const ALWAYS: readonly ErrorCode[] = ["Throttled", "Timeout", "Unavailable"];

/** Codes that are no lie after these faults; `met` are the names of those that have happened. */
export function honest(action: Action, met: readonly string[]): ReadonlySet<string> {
  const codes = new Set<string>(ALWAYS);
  const has = (name: string) => met.some((one) => one.startsWith(name));
  if (action.includes("if ")) codes.add("CommitUnknown");
  // Without a length, what came of an answer is either all of it or not to be understood.
  if (has("truncateChunked")) codes.add("Unsupported").add("Corrupt");
  if (has("replaced")) {
    for (const code of ["ObjectChanged", "PreconditionFailed"]) codes.add(code);
    if (action.includes("absent")) codes.add("AlreadyExists");
  }
  return codes;
}
