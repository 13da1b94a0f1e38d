import type { OperationProgress } from "../xcom/index.js";
import type { Output } from "./format.js";
import { bytes, duration, grouped } from "./format.js";
import { pluralize } from "./options.js";

/** Milliseconds between redraws. */
const EVERY = 100;
/** Milliseconds before the bar appears: short transfers show none. */
const PATIENCE = 300;
const WIDEST_BAR = 30;
const NARROWEST_BAR = 8;

/** A line on a terminal that is redrawn in its place. Nothing in a pipe. */
class LiveLine {
  readonly #out: Output;
  readonly begun = performance.now();
  #drawn = this.begun + PATIENCE - EVERY;
  #visible = false;

  constructor(out: Output) {
    this.#out = out;
  }

  /** Draws, unless it was just drawn. */
  protected show(text: (now: number, columns: number) => string): void {
    const now = performance.now();
    if (!this.#out.terminal || now - this.#drawn < EVERY) return;
    this.#drawn = now;
    this.#visible = true;
    this.#out.stream.write(`\r${text(now, this.#columns())}\u001b[K`);
  }

  /** Removes the line; the command prints any lasting result. */
  end(): void {
    if (this.#visible) this.#out.stream.write("\r\u001b[K");
    this.#visible = false;
  }

  /** A terminal's width may change meanwhile. */
  #columns(): number {
    const { columns } = this.#out.stream as { columns?: number };
    return columns || this.#out.columns || 80;
  }
}

/** The progress of one transfer on a terminal: bar, share, rate and time left. Shows nothing in a pipe. */
export class Progress extends LiveLine {
  readonly #label: string;
  readonly #total: number | undefined;
  #done = 0;
  #files: number | undefined;

  constructor(out: Output, label: string, total: number | undefined) {
    super(out);
    this.#label = label;
    this.#total = total;
  }

  /** Bytes so far. */
  at(done: number): void {
    this.#done = done;
    this.#draw();
  }

  /** Counts a file as done. */
  file(): void {
    this.#files = (this.#files ?? 0) + 1;
    this.#draw();
  }

  #draw(): void {
    this.show((now, columns) => {
      const seconds = (now - this.begun) / 1000;
      return line(this.#label, { done: this.#done, files: this.#files, total: this.#total, seconds }, columns);
    });
  }

  get done(): number {
    return this.#done;
  }
}

const PHASES: Record<OperationProgress["phase"], readonly [label: string, noun: string]> = {
  list: ["listing", "object"],
  references: ["reading", "reference"],
  compare: ["comparing", "object"],
  remove: ["removing", "object"],
  check: ["checking", "reference"],
  migrate: ["migrating", "reference"],
};

/** The progress of an operation over many objects: its phase, how many, their bytes, and the time. */
export class PhaseProgress extends LiveLine {
  #phase: OperationProgress["phase"] | undefined;
  #since = this.begun;

  at(progress: OperationProgress): void {
    if (progress.phase !== this.#phase) {
      if (this.#phase !== undefined) this.#since = performance.now();
      this.#phase = progress.phase;
    }
    this.show((now, columns) => phaseLine(progress, (now - this.#since) / 1000, columns));
  }
}

/** Returns one line of at most `columns - 1` characters. `seconds`: since the phase began. */
export function phaseLine({ phase, count, total, bytes: size }: OperationProgress, seconds: number, columns: number) {
  const [label, noun] = PHASES[phase];
  const amount = size > 0 ? `, ${bytes(size)}` : "";
  const rate = count / Math.max(0.001, seconds);
  const state = { done: count, total, seconds };
  const share = total ? `${Math.floor((100 * Math.min(count, total)) / total)}% ` : "";
  const named = total ?? count;
  const of = `${total === undefined ? "" : `${grouped(count)} of `}${grouped(named)} ${noun}${named === 1 ? "" : "s"}`;
  const left = total && rate > 0 ? `ETA ${duration(Math.max(0, total - count) / rate)}` : duration(seconds);
  const numbers = `${share}${of}${amount} ${left}`;
  const room = columns - 1 - numbers.length - label.length - 2;
  const bar = barOf(state, room >= NARROWEST_BAR ? Math.min(WIDEST_BAR, room) : 0);
  const parts = [label, bar, numbers].filter(Boolean).join(" ");
  return parts.slice(0, Math.max(0, columns - 1));
}

interface State {
  done: number;
  files?: number | undefined;
  total: number | undefined;
  seconds: number;
}

/** Returns one line of at most `columns - 1` characters, so that the cursor never wraps. */
export function line(label: string, state: State, columns: number): string {
  const numbers = numbersOf(state);
  const room = columns - 1 - numbers.length - 1;
  const bar = barOf(state, room >= 2 * NARROWEST_BAR ? Math.min(WIDEST_BAR, Math.floor(room / 2)) : 0);
  const name = shortened(label, room - (bar ? bar.length + 1 : 0));
  return [name, bar, numbers]
    .filter(Boolean)
    .join(" ")
    .slice(0, Math.max(0, columns - 1));
}

function numbersOf({ done, files, total, seconds }: State): string {
  const rate = done / Math.max(0.001, seconds);
  const speed = `${bytes(rate)}/s`;
  const ahead = files === undefined ? "" : `${pluralize(files, "file")} `;
  // Copies inside a provider send no bytes through this process.
  if (files !== undefined && done === 0) return `${ahead}${duration(seconds)}`;
  if (!total) return `${ahead}${bytes(done)} ${speed} ${duration(seconds)}`;
  const share = `${String(Math.floor((100 * Math.min(done, total)) / total)).padStart(3)}%`;
  const left = rate > 0 ? duration((total - Math.min(done, total)) / rate) : "-:--";
  return `${share} ${bytes(done)}/${bytes(total)} ${speed} ETA ${left}`;
}

function barOf({ done, total }: Pick<State, "done" | "total">, width: number): string {
  if (!total || width < NARROWEST_BAR) return "";
  const full = Math.round((Math.min(done, total) / total) * width);
  return "█".repeat(full) + "░".repeat(width - full);
}

function shortened(text: string, room: number): string {
  if (text.length <= room) return text;
  return room > 1 ? `…${text.slice(text.length - room + 1)}` : "";
}
