/** The numbers of a sweep. */
import type { EntryFailure } from "../../errors.js";

/** Every listed object counts once as `unknown`, `young`, `future` or `considered`. */
export interface SweepReport {
  listed: number;
  /** Objects without one of Airflow's layouts, or without an etag. They are never deleted. */
  unknown: number;
  /** Objects within the grace. */
  young: number;
  /** Objects that are dated later than this machine's clock. They are never deleted. */
  future: number;
  /** All others: what is compared with the references. */
  considered: number;
  /** Texts that name an object below `path`. */
  references: number;
  /** Texts that name an object elsewhere. */
  elsewhere: number;
  /** Texts that name none: values in rows. */
  values: number;
  /** Considered objects with a reference. */
  referenced: number;
  /** Considered objects without one, and their bytes. */
  orphaned: number;
  bytes: number;
  /**
   * Of these, with `as`: objects whose key rows name at a base that `as` does not have. If these are copies of a primary
   * that is being migrated, rows name its other base; nothing is removed until `as` has that too.
   */
  namedElsewhere: number;
  deleted: number;
  moved: number;
  /** The bytes of deleted or moved objects. */
  freed: number;
  /** Orphans that were written or moved since they were listed. They stay. */
  changed: number;
  /** Orphans that could not be deleted, and places that could not be listed. */
  failed: number;
  /** Orphans of `changed` and `failed` whose copy is in the trash: the next sweep only has to delete the original. */
  copies: number;
  /** Orphans that were not tried, since no delete had succeeded. */
  left: number;
  /** The first 1,000 failures. */
  failures: EntryFailure[];
}

/** Failures that a report keeps. */
const MAX_FAILURES = 1000;

/** Keeps a failure if there is room. */
export function keepFailure(failures: EntryFailure[], failed: EntryFailure): void {
  if (failures.length < MAX_FAILURES) failures.push(failed);
}

export function emptyReport(): SweepReport {
  const listing = { listed: 0, unknown: 0, young: 0, future: 0, considered: 0 };
  const reading = { references: 0, elsewhere: 0, values: 0, referenced: 0, orphaned: 0, bytes: 0, namedElsewhere: 0 };
  const removal = { deleted: 0, moved: 0, freed: 0, changed: 0, failed: 0, copies: 0, left: 0 };
  return { ...listing, ...reading, ...removal, failures: [] };
}
