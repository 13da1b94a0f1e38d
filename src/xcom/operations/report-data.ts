/** The numbers of a report, as `report()` returns and `stowage report --json` prints them. */

/** A number of objects and their bytes, as stored. */
export interface ReportSum {
  objects: number;
  bytes: number;
}

/** What one Dag, run, task, codec or retention class has. */
export interface ReportGroup extends ReportSum {
  /** The id, the codec or the class. Empty for objects without a codec or a class. */
  name: string;
  /** The Dag of a run or a task. */
  dagId?: string | undefined;
}

/** The largest groups by bytes, and the sum of all others. All together are the objects that have a layout. */
export interface ReportBreakdown {
  /** At most 100, largest first. */
  groups: ReportGroup[];
  /** The number of all groups. */
  count: number;
  others: ReportSum;
}

export interface ReportDay extends ReportSum {
  /** In UTC: `2026-01-31`. */
  day: string;
}

/** Objects from a bound, inclusive, to the next, exclusive. */
export interface ReportBin extends ReportSum {
  /** Bytes of a size, milliseconds of an age. */
  from: number;
  /** Undefined for the last bin. */
  to: number | undefined;
}

export interface ReportObject {
  path: string;
  size: number;
  modified: string | undefined;
}

/** What a comparison with all references finds. */
export interface ReportReferences {
  /** Texts that name an object below the path. */
  references: number;
  /** Texts that name an object elsewhere. */
  elsewhere: number;
  /** Texts that name none: values in rows. */
  values: number;
  /** Objects with a reference. */
  referenced: ReportSum;
  /** Objects without one, older than the grace: what a sweep removes. */
  orphaned: ReportSum;
  /** Objects without one within the grace: their row may be still to come. */
  young: ReportSum;
  /** The largest orphans, at most 100. */
  largestOrphans: ReportObject[];
  /** Objects that references name and that are not there. */
  missing: number;
  /** The first 100 of them. */
  missingPaths: string[];
  /** Objects that references name, that were not listed, and that the store refused to look at. */
  unchecked: number;
}

/** What one rule of the bucket will delete, by the time that is left. */
export interface ReportExpiry {
  /** The retention class, or the name of the bucket's rule. */
  name: string;
  /** The prefix of the keys. */
  prefix: string;
  /** Age in whole days at which objects go; 0 for a rule with a fixed date or other conditions, which has no sums. */
  days: number;
  /** Older than the rule allows: they go with its next run. */
  overdue: ReportSum;
  withinDay: ReportSum;
  /** In more than one day, within seven. */
  withinWeek: ReportSum;
  /** In more than seven days, within thirty. */
  withinMonth: ReportSum;
  later: ReportSum;
  /** Of those that go within seven days: objects that rows still refer to. Undefined without references. */
  stillReferenced: ReportSum | undefined;
}

/** What is below a path. Every sum is exact; lists have their largest entries. */
export interface StorageReport {
  path: string;
  /** When the listing began, as ISO 8601 in UTC. All ages count to it. */
  createdAt: string;
  total: ReportSum;
  /** Of these, objects whose names have none of Airflow's layouts. */
  unknown: ReportSum;
  /** Folders that could not be listed. */
  failed: number;
  dags: ReportBreakdown;
  runs: ReportBreakdown;
  tasks: ReportBreakdown;
  codecs: ReportBreakdown;
  classes: ReportBreakdown;
  /** Objects by the day of their last write: the 90 days up to now, oldest first, also those without any. */
  days: ReportDay[];
  earlier: ReportSum;
  /** Objects dated after `createdAt`, or without a date. */
  undated: ReportSum;
  sizes: ReportBin[];
  ages: ReportBin[];
  /** The largest objects, at most 100. */
  largest: ReportObject[];
  /** Undefined without sources of references. */
  references: ReportReferences | undefined;
  /** What rules delete next; empty if none is given. */
  expiries: ReportExpiry[];
}

export function emptySum(): ReportSum {
  return { objects: 0, bytes: 0 };
}

export function addTo(sum: ReportSum, bytes: number): void {
  sum.objects += 1;
  sum.bytes += bytes;
}
