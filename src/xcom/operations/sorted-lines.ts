/** Sorts any number of lines in bounded memory: in runs on disk, which are merged. */
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";

/** Bytes of lines, as `LINE_BYTES` and their characters count them, from which on a sorter writes them to disk. */
const RUN_BYTES = 16 * 1024 * 1024;
/** What a line takes in memory besides its characters. */
const LINE_BYTES = 64;
/** Runs that are merged at once: each has an open file and a block in memory. */
const FAN_IN = 64;
const READ_BYTES = 64 * 1024;
/** Lines that are written, and handed on, at once. */
const BATCH = 2000;

/** A folder for the runs of all sorters of one operation; made when the first line is written. */
export class RunFolder {
  #made: Promise<string> | undefined;
  #files = 0;

  /** Returns the name of a new file. */
  async newFile(): Promise<string> {
    this.#made ??= mkdtemp(join(tmpdir(), "stowage-"));
    this.#files += 1;
    // Before others count on while the folder is made.
    const name = `${this.#files}.run`;
    return join(await this.#made, name);
  }

  async remove(): Promise<void> {
    if (this.#made) await rm(await this.#made, { recursive: true, force: true });
  }
}

/** Sorted lines in a file. */
interface Run {
  file: string;
  last: string;
}

/** Yields lines in the order of their UTF-16 code units, in batches. */
export type Batches = AsyncIterable<readonly string[]>;

/**
 * Takes lines in any order and yields each distinct one once, sorted. A line is well-formed Unicode without a line feed.
 * Memory is bounded by `runBytes`, and while runs are merged by a block of each. Lines that come in order make one run.
 */
export class LineSorter {
  readonly #folder: RunFolder;
  readonly #runBytes: number;
  #lines: string[] = [];
  #bytes = 0;
  /** Runs by the number of merges behind them. */
  readonly #levels: Run[][] = [];

  constructor(folder: RunFolder, runBytes = RUN_BYTES) {
    this.#folder = folder;
    this.#runBytes = runBytes;
  }

  /** Adds a line. Returns a promise to wait for when lines have to be written to disk first. */
  add(line: string): Promise<void> | undefined {
    this.#lines.push(copyOf(line));
    this.#bytes += line.length + LINE_BYTES;
    return this.#bytes >= this.#runBytes ? this.#spill() : undefined;
  }

  /** Yields the lines; can be called several times, after the last `add`. */
  async *batches(): AsyncGenerator<readonly string[], void, undefined> {
    const inMemory = sortedLines(this.#lines);
    this.#lines = inMemory;
    yield* merged([...this.#levels.flat().map(({ file }) => linesOf(file)), arrayOf(inMemory)]);
  }

  async #spill(): Promise<void> {
    const lines = sortedLines(this.#lines);
    this.#lines = [];
    this.#bytes = 0;
    await this.#append(lines, 0);
  }

  /** Adds sorted lines: to the last run if they all come after it, else as a run of their own. */
  async #append(lines: readonly string[], level: number): Promise<void> {
    const runs = this.#runsOf(level);
    const before = runs.at(-1);
    const run = before && before.last < lines[0]! ? before : { file: await this.#folder.newFile(), last: "" };
    await writeLines(run, arrayOf(lines));
    if (run !== before) runs.push(run);
    if (runs.length >= FAN_IN) await this.#mergeLevel(level);
  }

  async #mergeLevel(level: number): Promise<void> {
    const runs = this.#runsOf(level).splice(0);
    const whole = { file: await this.#folder.newFile(), last: "" };
    await writeLines(whole, merged(runs.map(({ file }) => linesOf(file))));
    for (const { file } of runs) await rm(file);
    const above = this.#runsOf(level + 1);
    above.push(whole);
    if (above.length >= FAN_IN) await this.#mergeLevel(level + 1);
  }

  #runsOf(level: number): Run[] {
    this.#levels[level] ??= [];
    return this.#levels[level];
  }
}

/** A part of a string keeps the whole alive, which may be a page of a listing or a block of a file. */
function copyOf(line: string): string {
  return " ".concat(line).slice(1);
}

/** Sorts in place, unless the lines already are in order. */
function sortedLines(lines: string[]): string[] {
  const isSorted = lines.every((line, i) => i === 0 || lines[i - 1]! <= line);
  return isSorted ? lines : lines.sort();
}

async function* arrayOf(lines: readonly string[]): AsyncGenerator<readonly string[], void, undefined> {
  for (let from = 0; from < lines.length; from += BATCH) yield lines.slice(from, from + BATCH);
}

async function writeLines(run: Run, batches: Batches): Promise<void> {
  const file = await open(run.file, "a", 0o600);
  try {
    for await (const lines of batches) {
      await file.appendFile(`${lines.join("\n")}\n`);
      run.last = lines.at(-1)!;
    }
  } finally {
    await file.close();
  }
}

async function* linesOf(name: string): AsyncGenerator<readonly string[], void, undefined> {
  const file = await open(name, "r");
  try {
    yield* linesIn(file);
  } finally {
    await file.close();
  }
}

async function* linesIn(file: FileHandle): AsyncGenerator<readonly string[], void, undefined> {
  const decoder = new StringDecoder("utf8");
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  let rest = "";
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, READ_BYTES);
    if (bytesRead === 0) return;
    const lines = (rest + decoder.write(buffer.subarray(0, bytesRead))).split("\n");
    rest = lines.pop()!;
    if (lines.length > 0) yield lines;
  }
}

/** The next line of one of the sorted inputs. */
class Cursor {
  #lines: readonly string[] = [];
  #next = 0;
  line = "";

  constructor(readonly source: AsyncIterator<readonly string[]>) {}

  /** Goes on within the lines at hand; returns false when others have to be read. */
  advance(): boolean {
    if (this.#next >= this.#lines.length) return false;
    this.line = this.#lines[this.#next]!;
    this.#next += 1;
    return true;
  }

  /** Reads more lines and goes on; returns false at the end. */
  async refill(): Promise<boolean> {
    const { value, done } = await this.source.next();
    this.#lines = done ? [] : value;
    this.#next = 0;
    return this.advance();
  }
}

/** Merges sorted inputs, and leaves out repeated lines. */
async function* merged(
  inputs: readonly AsyncGenerator<readonly string[], void, undefined>[],
): AsyncGenerator<readonly string[], void, undefined> {
  const heap: Cursor[] = [];
  try {
    for (const input of inputs) {
      const cursor = new Cursor(input);
      if (await cursor.refill()) pushed(heap, cursor);
    }
    let batch: string[] = [];
    let last: string | undefined;
    for (let first = heap[0]; first; first = heap[0]) {
      if (first.line !== last) batch.push(first.line);
      last = first.line;
      if (first.advance() || (await first.refill())) settle(heap, 0);
      else dropFirst(heap);
      if (batch.length < BATCH) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  } finally {
    for (const input of inputs) await input.return();
  }
}

// A binary heap of cursors, the one with the lowest line first.

function pushed(heap: Cursor[], cursor: Cursor): void {
  heap.push(cursor);
  let at = heap.length - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (heap[parent]!.line <= cursor.line) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = cursor;
}

function dropFirst(heap: Cursor[]): void {
  const last = heap.pop()!;
  if (heap.length === 0) return;
  heap[0] = last;
  settle(heap, 0);
}

/** Moves a cursor down to its place. */
function settle(heap: Cursor[], from: number): void {
  const cursor = heap[from]!;
  let at = from;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && heap[child + 1]!.line < heap[child]!.line) child += 1;
    if (cursor.line <= heap[child]!.line) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = cursor;
}
