import type { Bench } from "./bench.js";

/**
 * What not every provider has. `nesting`: an object `a` beside `a/b`. `anyKey`: keys with empty segments, a slash at
 * either end, or a backslash. `dotSegments`: keys with `.` and `..` segments. `buckets`: a bucket can be missing.
 * `contentType`: it is stored as given, not told by the suffix. `copyIfAbsent`: a copy inside the provider can be
 * create-only.
 */
export type Capability =
  | "anyKey"
  | "buckets"
  | "contentType"
  | "copyIfAbsent"
  | "dotSegments"
  | "metadata"
  | "nesting"
  | "sign"
  | "versions";

/** A server that does not keep a promise of the contract. */
export interface Exception {
  /** Of the case. */
  id: string;
  reason: string;
  /** How that is known: an issue, a line of its source, a measurement with its version. */
  evidence: string;
  /** What is true there instead. */
  instead?(bench: Bench): Promise<void>;
}

/** A case before it meets a driver. */
export interface Spec {
  id: string;
  title: string;
  /** Capabilities without which `without` is checked instead of `run`. */
  needs?: readonly Capability[];
  run(bench: Bench): Promise<void>;
  without?(bench: Bench): Promise<void>;
}
