/** Counts listed objects in every way that a report shows. */
import type { ListEntry } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import { prefixOf } from "../keys/base.js";
import { classIn } from "../layers/retention-rules.js";
import { placeOf } from "../stored.js";
import {
  addTo,
  emptySum,
  type ReportBin,
  type ReportDay,
  type ReportObject,
  type ReportSum,
  type StorageReport,
} from "./report-data.js";
import { DAY_MS, type Expiries } from "./report-expiry.js";
import { Largest, TotalsByName } from "./report-totals.js";
import type { RunFolder } from "./sorted-lines.js";

/** Days of the growth by day. */
const DAYS = 90;
const KIB = 1024;
/** Lower bounds of sizes, in bytes. */
const SIZES = [0, ...Array.from({ length: 11 }, (_, i) => KIB * 4 ** i)];
const HOUR_MS = 3_600_000;
/** Lower bounds of ages, in milliseconds. */
const AGES = [0, HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS, 90 * DAY_MS, 365 * DAY_MS];

/** An object as a report needs it. */
export interface CountedObject {
  /** Its key below the path. */
  below: string;
  size: number;
  /** Milliseconds since 1970. */
  modified: number | undefined;
}

type Names = "dags" | "runs" | "tasks" | "codecs" | "classes";

export class ReportNumbers {
  readonly total = emptySum();
  readonly unknown = emptySum();
  readonly #base: StoragePath;
  readonly #now: number;
  readonly #expiries: Expiries;
  readonly #totals: Readonly<Record<Names, TotalsByName>>;
  readonly #largest = new Largest<ReportObject>(({ size }) => size);
  readonly #sizes = binsOf(SIZES);
  readonly #ages = binsOf(AGES);
  readonly #days: ReportDay[];
  readonly #earlier = emptySum();
  readonly #undated = emptySum();

  constructor(base: StoragePath, folder: RunFolder, expiries: Expiries, now: number) {
    this.#base = base;
    this.#now = now;
    this.#expiries = expiries;
    const totals = () => new TotalsByName(folder);
    this.#totals = { dags: totals(), runs: totals(), tasks: totals(), codecs: totals(), classes: totals() };
    this.#days = daysUntil(now);
  }

  /** Counts an object. Returns whether its name has one of Airflow's layouts. */
  async add({ path, size = 0, modified }: ListEntry): Promise<boolean> {
    const time = modified?.getTime();
    addTo(this.total, size);
    addTo(binOf(this.#sizes, size), size);
    this.#addTime(size, time);
    this.#expiries.add(path.key, size, time);
    this.#largest.add({ path: String(path), size, modified: modified?.toISOString() });
    const place = placeOf(path, this.#base);
    if (place) await this.#addPlace(path, size, place);
    else addTo(this.unknown, size);
    return place !== undefined;
  }

  async result(): Promise<Omit<StorageReport, "path" | "createdAt" | "failed" | "references">> {
    const { dags, runs, tasks, codecs, classes } = this.#totals;
    return {
      total: this.total,
      unknown: this.unknown,
      dags: await dags.breakdown(),
      runs: await runs.breakdown(),
      tasks: await tasks.breakdown(),
      codecs: await codecs.breakdown(),
      classes: await classes.breakdown(),
      days: this.#days,
      earlier: this.#earlier,
      undated: this.#undated,
      sizes: this.#sizes,
      ages: this.#ages,
      largest: this.#largest.list(),
      expiries: this.#expiries.list(),
    };
  }

  async #addPlace(
    path: StoragePath,
    size: number,
    place: { [name in "dagId" | "runId" | "taskId"]: string } & { codec: string | undefined },
  ) {
    const { dagId, runId, taskId, codec = "" } = place;
    const below = path.key.slice(prefixOf(this.#base).length);
    const { dags, runs, tasks, codecs, classes } = this.#totals;
    const waits = [
      dags.add(dagId, size),
      runs.add(`${dagId}\t${runId}`, size),
      tasks.add(`${dagId}\t${taskId}`, size),
      codecs.add(codec, size),
      classes.add(classIn(below) ?? "", size),
    ];
    for (const wait of waits) if (wait) await wait;
  }

  #addTime(size: number, time: number | undefined): void {
    if (time === undefined || time > this.#now) {
      addTo(this.#undated, size);
      return;
    }
    addTo(binOf(this.#ages, this.#now - time), size);
    const daysAgo = Math.floor(this.#now / DAY_MS) - Math.floor(time / DAY_MS);
    addTo(this.#days[DAYS - 1 - daysAgo] ?? this.#earlier, size);
  }
}

function binsOf(bounds: readonly number[]): ReportBin[] {
  return bounds.map((from, i) => ({ from, to: bounds[i + 1], ...emptySum() }));
}

function binOf(bins: readonly ReportBin[], value: number): ReportSum {
  return bins.findLast(({ from }) => from <= value) ?? bins[0]!;
}

function daysUntil(now: number): ReportDay[] {
  const dayOf = (daysAgo: number) => new Date(now - daysAgo * DAY_MS).toISOString().slice(0, 10);
  return Array.from({ length: DAYS }, (_, i) => ({ day: dayOf(DAYS - 1 - i), ...emptySum() }));
}
