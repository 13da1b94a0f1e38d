import type { Storage } from "../fs/storage.js";
import type { StoragePath } from "../path.js";
import type { Bench } from "./bench.js";

/**
 * What not every provider has. `nesting`: an object `a` beside `a/b`. `anyKey`: keys with empty, `.` and `..`
 * segments, a slash at either end, or a backslash. `buckets`: a bucket can be missing. `contentType`: it is stored
 * as given, not told by the suffix. `copyIfAbsent`: a copy inside the provider can be create-only.
 */
export type Capability =
  | "anyKey"
  | "buckets"
  | "contentType"
  | "copyIfAbsent"
  | "metadata"
  | "nesting"
  | "sign"
  | "versions";

/** One place to try things out in. */
export interface Harness {
  storage: Storage;
  /** A directory that nothing else writes to; empty, new for each run. */
  base: StoragePath;
  /** A place at another provider that `storage` reaches as well, for copies across. @default below `memory://` */
  other?: StoragePath;
  /** Unfinished uploads, temporary files or open descriptors below `base`; asked for after each case, which fails if there are any. */
  leftovers?(): Promise<string[]>;
  /** Removes what the case has left. */
  cleanup(): Promise<void>;
}

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
