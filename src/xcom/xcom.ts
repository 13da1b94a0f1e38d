import { failure } from "../errors.js";
import type { XComBackend } from "../objectstore-backend.js";
import {
  type Cleared,
  type ClearOptions,
  type ClearTarget,
  clearRows,
  deleteRow,
  filterOf,
  MAX_CONFLICTS,
  pauseAfterConflict,
  purgeObjects,
} from "./clear.js";
import { telling } from "./failures.js";
import type { RowFilter, RowKey, RowOptions, XComRow, XComRows } from "./rows.js";
import type { RunFinder } from "./runs.js";

export interface XComOptions {
  rows: XComRows;
  backend: XComBackend;
  /** Finds runs by their logical date, for `clear`: `airflowRuns(query)`, or the `findRun` of `restRows`. */
  runs?: RunFinder | undefined;
}

/** A row with its value in place of the reference. */
export interface XComEntry extends RowKey {
  mapIndex: number;
  value: unknown;
}

/** Objects that `getMany` fetches at the same time. */
const AHEAD = 8;

/** XComs on rows: each value in its row, or in an object that the row refers to. */
export class XCom {
  readonly #rows: XComRows;
  readonly #backend: XComBackend;
  readonly #runs: RunFinder | undefined;

  constructor({ rows, backend, runs }: XComOptions) {
    this.#rows = rows;
    this.#backend = backend;
    this.#runs = runs;
  }

  /**
   * Stores a value. The object of the value that this very call replaced is deleted after the new row stands, so that
   * of several writers at once one wins and the objects of all others go.
   *
   * PreconditionFailed when other writers are faster fifty times in a row.
   */
  async set(at: RowKey, value: unknown, options: RowOptions = {}): Promise<void> {
    const stored = await this.#backend.storeValue(at, at.key, value, options);
    const old = await this.#replace(at, stored, options);
    if (old && old.value !== stored) await purgeObjects(this.#backend, old.value, { ...options, owner: at });
  }

  /** The value; undefined when there is no row. */
  async get(at: RowKey, options: RowOptions = {}): Promise<unknown> {
    const row = await this.#rows.get(at, options);
    return row && this.#backend.loadValue(row.value, { ...options, owner: at });
  }

  /** Whether there is a row. */
  async has(at: RowKey, options: RowOptions = {}): Promise<boolean> {
    return (await this.#rows.get(at, options)) !== undefined;
  }

  /** The values of all rows that agree with the filter, in the order of the rows, some of them fetched ahead. */
  async *getMany(filter: RowFilter, options: RowOptions = {}): AsyncGenerator<XComEntry, void, undefined> {
    const loading: Promise<XComEntry>[] = [];
    for await (const row of this.#rows.list(filter, options)) {
      loading.push(this.#entry(row, options));
      if (loading.length === AHEAD) yield loading.shift()!;
    }
    yield* loading;
  }

  /** Deletes the row, then its object; whether there was a row. An error after the row is gone names the object. */
  async delete(at: RowKey, options: RowOptions = {}): Promise<boolean> {
    const row = await deleteRow(this.#rows, at, options);
    if (!row) return false;
    await purgeObjects(this.#backend, row.value, { ...options, owner: at });
    return true;
  }

  /**
   * Deletes every row of a task instance, each before its objects on all replicas. What fails is reported and does not
   * stop the rest. InvalidArgument for a target that is not exactly one run's; NotFound when no run has the date.
   */
  async clear(target: ClearTarget, options: ClearOptions = {}): Promise<Cleared> {
    const places = { rows: this.#rows, backend: this.#backend, runs: this.#runs };
    return telling("clear", "", async () => clearRows(places, await filterOf(target, places, options), options));
  }

  /** Puts `stored` into the row; the row that it replaced. */
  async #replace(at: RowKey, stored: unknown, options: RowOptions): Promise<XComRow | undefined> {
    for (let attempt = 0; attempt < MAX_CONFLICTS; attempt++) {
      const old = await this.#rows.get(at, options);
      const condition = old ? { ifVersion: old.version } : { ifAbsent: true };
      if ((await this.#rows.set(at, stored, { ...options, ...condition })) !== false) return old;
      await pauseAfterConflict(attempt, options.signal);
    }
    // The row has never held it, unless it is a name that every value of this task instance overwrites.
    const { value: standing } = (await this.#rows.get(at, options)) ?? {};
    if (standing !== stored) await purgeObjects(this.#backend, stored, { ...options, owner: at });
    throw failure("PreconditionFailed", `other writers were faster ${MAX_CONFLICTS} times`).at("set", "");
  }

  #entry(row: XComRow, options: RowOptions): Promise<XComEntry> {
    const entry = this.#load(row, options);
    // It may fail before its turn comes; then it is told when it is asked for.
    entry.catch(() => {});
    return entry;
  }

  async #load({ value: stored, ...at }: XComRow, options: RowOptions): Promise<XComEntry> {
    return { ...at, value: await this.#backend.loadValue(stored, { ...options, owner: at }) };
  }
}
