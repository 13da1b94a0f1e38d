/** What an operation over many objects tells while it runs. */

export interface OperationProgress {
  /**
   * `list`: objects are listed. `references`: references are read. `compare`: both are compared. `remove`: objects are
   * deleted or moved. `check`: objects of references are looked at. `migrate`: they are copied, and rows are changed.
   */
  phase: "list" | "references" | "compare" | "remove" | "check" | "migrate";
  /** Objects or references of this phase so far. */
  count: number;
  /** Of how many, where it is known. */
  total?: number | undefined;
  /** Bytes of these objects, as stored; 0 while references are read. */
  bytes: number;
}

export interface Watched {
  /** Called with the progress, often and at least once in each phase. It must return at once. */
  onProgress?: ((progress: OperationProgress) => void) | undefined;
}

/** Entries between two reports: lists and sources yield faster than a person reads. */
const EVERY = 500;

/** Tells of every 500th; the caller tells of the last. */
export function tellSome({ onProgress }: Watched, progress: OperationProgress): void {
  if (onProgress && progress.count % EVERY === 0) onProgress(progress);
}
