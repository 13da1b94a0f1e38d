/** Exact sums by name, and the largest of many, in bounded memory. */
import { addTo, emptySum, type ReportBreakdown, type ReportGroup, type ReportSum } from "./report-data.js";
import { LineSorter, type RunFolder } from "./sorted-lines.js";

/** Entries of each list of a report. */
export const TOP = 100;
/** Characters of names, with `NAME_BYTES` for each, from which on sums are written to disk. */
const SUMS_BYTES = 8 * 1024 * 1024;
/** What a name and its sum take in memory besides its characters. */
const NAME_BYTES = 120;

/** Keeps the largest entries of any number. */
export class Largest<T> {
  readonly #sizeOf: (entry: T) => number;
  readonly #most: number;
  #entries: T[] = [];

  constructor(sizeOf: (entry: T) => number, most = TOP) {
    this.#sizeOf = sizeOf;
    this.#most = most;
  }

  add(entry: T): void {
    this.#entries.push(entry);
    if (this.#entries.length >= 8 * this.#most) this.#entries = this.list();
  }

  /** Returns the entries, largest first, and among equals in the order in which they came. */
  list(): T[] {
    return this.#entries.sort((a, b) => this.#sizeOf(b) - this.#sizeOf(a)).slice(0, this.#most);
  }
}

/**
 * Sums bytes by name. Sums of more names than fit into memory go to sorted files, where those of one name stand side by
 * side. Names have no NUL or line feed; a TAB separates a Dag from what is its.
 */
export class TotalsByName {
  readonly #folder: RunFolder;
  readonly #limit: number;
  #sums = new Map<string, ReportSum>();
  #bytes = 0;
  #spilled: LineSorter | undefined;
  /** Makes the lines of one name differ. */
  #spills = 0;

  constructor(folder: RunFolder, limit = SUMS_BYTES) {
    this.#folder = folder;
    this.#limit = limit;
  }

  /** Adds an object. Returns a promise to wait for when sums have to be written to disk first. */
  add(name: string, bytes: number): Promise<void> | undefined {
    let sum = this.#sums.get(name);
    if (!sum) {
      sum = emptySum();
      this.#sums.set(name, sum);
      this.#bytes += name.length + NAME_BYTES;
    }
    addTo(sum, bytes);
    return this.#bytes >= this.#limit ? this.#spill() : undefined;
  }

  async breakdown(): Promise<ReportBreakdown> {
    const largest = new Largest<ReportGroup>(({ bytes }) => bytes);
    const others = emptySum();
    let count = 0;
    for await (const [name, sum] of this.#all()) {
      count += 1;
      others.objects += sum.objects;
      others.bytes += sum.bytes;
      largest.add({ ...dagAndName(name), ...sum });
    }
    const groups = largest.list();
    for (const { objects, bytes } of groups) {
      others.objects -= objects;
      others.bytes -= bytes;
    }
    return { groups, count, others };
  }

  async #spill(): Promise<void> {
    this.#spilled ??= new LineSorter(this.#folder);
    this.#spills += 1;
    const sums = this.#sums;
    this.#sums = new Map();
    this.#bytes = 0;
    for (const [name, { objects, bytes }] of sums) {
      const full = this.#spilled.add(`${name}\0${this.#spills}\0${objects}\0${bytes}`);
      if (full) await full;
    }
  }

  async *#all(): AsyncGenerator<readonly [string, ReportSum], void, undefined> {
    if (!this.#spilled) {
      yield* this.#sums;
      return;
    }
    await this.#spill();
    yield* joined(this.#spilled);
  }
}

/** Adds up the lines of each name. */
async function* joined(sorter: LineSorter): AsyncGenerator<readonly [string, ReportSum], void, undefined> {
  let current: string | undefined;
  let sum = emptySum();
  for await (const lines of sorter.batches()) {
    for (const line of lines) {
      const [name = "", , objects, bytes] = line.split("\0");
      if (name !== current) {
        if (current !== undefined) yield [current, sum];
        current = name;
        sum = emptySum();
      }
      sum.objects += Number(objects);
      sum.bytes += Number(bytes);
    }
  }
  if (current !== undefined) yield [current, sum];
}

function dagAndName(text: string): { name: string; dagId?: string } {
  const tab = text.indexOf("\t");
  return tab < 0 ? { name: text } : { dagId: text.slice(0, tab), name: text.slice(tab + 1) };
}
