/** How calls fared under each fault, as a table. */
import { isStorageError } from "../../src/errors.js";

export class Tally {
  readonly #notes: string[] = [];
  readonly #rows = new Map<string, Map<string, number>>();

  /** `outcome`: `succeeded`, the code of an error, or what else became of it. */
  count(fault: string, outcome: string): void {
    const row = this.#rows.get(fault) ?? new Map<string, number>();
    this.#rows.set(fault, row.set(outcome, (row.get(outcome) ?? 0) + 1));
  }

  /** Lines that are printed below the table. */
  note(...notes: readonly string[]): void {
    this.#notes.push(...notes.map((note) => `  * ${note}`));
  }

  /** One line a fault: how often it was planted, and what the calls that met it did. */
  print(title: string): void {
    const lines = [...this.#rows].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true })).map(line);
    console.log([`\n${title}`, ...lines, ...this.#notes].join("\n"));
  }
}

function line([fault, row]: [string, Map<string, number>]): string {
  const total = [...row.values()].reduce((sum, count) => sum + count, 0);
  const parts = [...row].map(([outcome, count]) => `${count} ${outcome}`);
  return `  ${fault.padEnd(46)} ${String(total).padStart(4)}: ${parts.join(", ")}`;
}

/** The word for an outcome in the table. */
export function wordOf(error: unknown): string {
  if (error === undefined) return "succeeded";
  return isStorageError(error) ? error.code : `failed untyped: ${String(error)}`;
}
