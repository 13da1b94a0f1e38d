import type { Output } from "./format.js";
import { bytes, duration } from "./format.js";
import { counted } from "./options.js";

/** Milliseconds between redraws. */
const EVERY = 100;
/** Milliseconds before the bar appears: short transfers show none. */
const PATIENCE = 300;
const WIDEST_BAR = 30;
const NARROWEST_BAR = 8;

/** The progress of one transfer on a terminal: bar, share, rate and time left. Shows nothing in a pipe. */
export class Progress {
  readonly #out: Output;
  readonly #label: string;
  readonly #total: number | undefined;
  readonly #begun = performance.now();
  #done = 0;
  #files: number | undefined;
  #drawn = this.#begun + PATIENCE - EVERY;
  #visible = false;

  constructor(out: Output, label: string, total: number | undefined) {
    this.#out = out;
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
    const now = performance.now();
    if (!this.#out.terminal || now - this.#drawn < EVERY) return;
    this.#drawn = now;
    this.#visible = true;
    const seconds = (now - this.#begun) / 1000;
    const state = { done: this.#done, files: this.#files, total: this.#total, seconds };
    this.#out.stream.write(`\r${line(this.#label, state, this.#columns())}\u001b[K`);
  }

  get done(): number {
    return this.#done;
  }

  /** Removes the bar; the command prints any lasting result. */
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
  const ahead = files === undefined ? "" : `${counted(files, "file")} `;
  // Copies inside a provider send no bytes through this process.
  if (files !== undefined && done === 0) return `${ahead}${duration(seconds)}`;
  if (!total) return `${ahead}${bytes(done)} ${speed} ${duration(seconds)}`;
  const share = `${String(Math.floor((100 * Math.min(done, total)) / total)).padStart(3)}%`;
  const left = rate > 0 ? duration((total - Math.min(done, total)) / rate) : "-:--";
  return `${share} ${bytes(done)}/${bytes(total)} ${speed} ETA ${left}`;
}

function barOf({ done, total }: State, width: number): string {
  if (!total || width < NARROWEST_BAR) return "";
  const full = Math.round((Math.min(done, total) / total) * width);
  return "█".repeat(full) + "░".repeat(width - full);
}

function shortened(text: string, room: number): string {
  if (text.length <= room) return text;
  return room > 1 ? `…${text.slice(text.length - room + 1)}` : "";
}
