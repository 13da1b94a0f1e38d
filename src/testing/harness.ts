import type { Storage } from "../fs/storage.js";
import type { StoragePath } from "../path.js";

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
