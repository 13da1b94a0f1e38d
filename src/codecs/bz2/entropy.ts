import { codeLengths } from "../huffman-lengths.js";
import { GROUP, RUN_A, RUN_B, STRETCH } from "./format.js";

/** How often the tables are fitted to the groups that chose them; what bzip2 does. */
const ROUNDS = 4;
/** Cost of the symbols that a first table is not for. */
const FOREIGN = 15;

/** A block as symbols: move-to-front, runs of the front as numbers in base two. */
export class Symbols {
  length = 0;
  /** How many different symbols there can be; known once they are made. */
  kinds = 0;
  readonly used = new Uint8Array(256);
  readonly #block: Uint8Array;
  #recent = new Uint8Array(0);
  #run = 0;

  /** `list` is room for one symbol more than the block has bytes. */
  constructor(
    block: Uint8Array,
    readonly list: Uint16Array,
  ) {
    this.#block = block;
  }

  /** Makes the symbols. Yields now and then. */
  *make(): Generator<void> {
    const size = this.#block.byteLength;
    for (let from = 0; from < size; from += STRETCH) {
      markUsed(this.#block, this.used, from, Math.min(size, from + STRETCH));
      yield;
    }
    this.#recent = Uint8Array.from([...this.used.keys()].filter((byte) => this.used[byte]));
    this.kinds = this.#recent.length + 2;
    for (let from = 0; from < size; from += STRETCH) {
      this.#add(from, Math.min(size, from + STRETCH));
      yield;
    }
    this.#putRun(this.#run);
    this.list[this.length++] = this.kinds - 1;
  }

  #add(from: number, to: number): void {
    const [block, recent, list] = [this.#block, this.#recent, this.list];
    let run = this.#run;
    for (let at = from; at < to; at++) {
      const byte = block[at]!;
      let front = recent[0]!;
      if (byte === front) {
        run++;
        continue;
      }
      this.#putRun(run);
      run = 0;
      let place = 0;
      // Moves the bytes before it back while it looks for it.
      do {
        const next = recent[++place]!;
        recent[place] = front;
        front = next;
      } while (front !== byte);
      recent[0] = byte;
      list[this.length++] = place + 1;
    }
    this.#run = run;
  }

  #putRun(run: number): void {
    for (let left = run; left > 0; left = (left - 1) >> 1) this.list[this.length++] = left & 1 ? RUN_A : RUN_B;
  }
}

function markUsed(block: Uint8Array, used: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to; at++) used[block[at]!] = 1;
}

/** Writes which bytes are used, the tables, the table of each group of 50, and the symbols. Yields now and then. */
export function* writeSymbols(writer: BitWriter, block: Symbols): Generator<void> {
  const { tables, selectors } = yield* fitTables(block);
  writeUsed(writer, block.used);
  writer.write(3, tables.length);
  writer.write(15, selectors.length);
  writeSelectors(writer, selectors, tables.length);
  for (const lengths of tables) writeLengths(writer, lengths);
  yield* writeGroups(writer, block, tables, selectors);
}

function tableCount(length: number): number {
  if (length < 200) return 2;
  if (length < 600) return 3;
  if (length < 1200) return 4;
  return length < 2400 ? 5 : 6;
}

interface Coding {
  tables: Uint8Array[];
  selectors: Uint8Array;
}

function* fitTables(block: Symbols): Generator<void, Coding> {
  const coding = {
    tables: firstTables(block, tableCount(block.length)),
    selectors: new Uint8Array(Math.ceil(block.length / GROUP)),
  };
  for (let round = 0; round < ROUNDS; round++) {
    const counts = coding.tables.map(() => new Int32Array(block.kinds));
    for (let from = 0; from < block.length; from += STRETCH) {
      choose(block, coding, counts, from, Math.min(block.length, from + STRETCH));
      yield;
    }
    coding.tables = counts.map((count) => codeLengths(count, LONGEST));
  }
  return coding;
}

/** Gives each group the table that codes it shortest. */
function choose(block: Symbols, { tables, selectors }: Coding, counts: Int32Array[], first: number, end: number): void {
  const { list } = block;
  for (let from = first; from < end; from += GROUP) {
    const to = Math.min(end, from + GROUP);
    const chosen = cheapest(list, from, to, tables);
    selectors[from / GROUP] = chosen;
    const count = counts[chosen]!;
    for (let at = from; at < to; at++) count[list[at]!]!++;
  }
}

/** To begin with, each table is for its share of the symbols, by how often they come. */
function firstTables(block: Symbols, count: number): Uint8Array[] {
  const counts = new Int32Array(block.kinds);
  for (let at = 0; at < block.length; at++) counts[block.list[at]!]!++;
  const tables: Uint8Array[] = [];
  let symbol = 0;
  let left = block.length;
  for (let index = 0; index < count; index++) {
    const share = left / (count - index);
    const lengths = new Uint8Array(block.kinds).fill(FOREIGN);
    for (let sum = 0; symbol < block.kinds && sum < share; symbol++) {
      lengths[symbol] = 0;
      sum += counts[symbol]!;
      left -= counts[symbol]!;
    }
    tables.push(lengths);
  }
  return tables;
}

function cheapest(list: Uint16Array, from: number, to: number, tables: Uint8Array[]): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let index = 0; index < tables.length; index++) {
    const lengths = tables[index]!;
    let cost = 0;
    for (let at = from; at < to; at++) cost += lengths[list[at]!]!;
    if (cost < least) {
      least = cost;
      best = index;
    }
  }
  return best;
}

function writeUsed(writer: BitWriter, used: Uint8Array): void {
  const ranges = Array.from({ length: 16 }, (_, range) => used.subarray(16 * range, 16 * range + 16));
  for (const range of ranges) writer.write(1, range.includes(1) ? 1 : 0);
  for (const range of ranges) {
    if (range.includes(1)) for (const bit of range) writer.write(1, bit);
  }
}

function writeSelectors(writer: BitWriter, selectors: Uint8Array, count: number): void {
  const recent = [0, 1, 2, 3, 4, 5].slice(0, count);
  for (const selector of selectors) {
    const place = recent.indexOf(selector);
    recent.splice(place, 1);
    recent.unshift(selector);
    for (let at = 0; at < place; at++) writer.write(1, 1);
    writer.write(1, 0);
  }
}

function writeLengths(writer: BitWriter, lengths: Uint8Array): void {
  let current = lengths[0]!;
  writer.write(5, current);
  for (const length of lengths) {
    for (; current < length; current++) writer.write(2, 2);
    for (; current > length; current--) writer.write(2, 3);
    writer.write(1, 0);
  }
}

function* writeGroups(writer: BitWriter, block: Symbols, tables: Uint8Array[], selectors: Uint8Array): Generator<void> {
  const codes = tables.map(codesOf);
  for (let group = 0; group < selectors.length; group++) {
    const from = group * GROUP;
    const table = selectors[group]!;
    writeGroup(writer, block.list.subarray(from, Math.min(block.length, from + GROUP)), tables[table]!, codes[table]!);
    if (from % STRETCH === 0) yield;
  }
}

function writeGroup(writer: BitWriter, list: Uint16Array, lengths: Uint8Array, codes: Uint32Array): void {
  for (let at = 0; at < list.length; at++) {
    const symbol = list[at]!;
    writer.write(lengths[symbol]!, codes[symbol]!);
  }
}

/** Writes bits, the most significant first. Full bytes are handed out, the rest stays. */
export class BitWriter {
  #bytes = new Uint8Array(64 * 1024);
  #filled = 0;
  #bits = 0;
  #count = 0;

  /** Writes the lowest `count` bits of `value`, up to 24. */
  write(count: number, value: number): void {
    if (this.#filled + 8 > this.#bytes.byteLength) this.#grow();
    this.#bits = (this.#bits << count) | value;
    this.#count += count;
    while (this.#count >= 8) {
      this.#count -= 8;
      this.#bytes[this.#filled++] = this.#bits >>> this.#count;
    }
  }

  /** 32 bits. */
  writeWord(value: number): void {
    this.write(16, value >>> 16);
    this.write(16, value & 0xffff);
  }

  /** The bytes that are full. */
  drain(): Uint8Array {
    const out = this.#bytes.slice(0, this.#filled);
    this.#filled = 0;
    return out;
  }

  /** All of it, zeros up to a whole byte. */
  finish(): Uint8Array {
    if (this.#count > 0) this.write(8 - this.#count, 0);
    return this.drain();
  }

  #grow(): void {
    const larger = new Uint8Array(2 * this.#bytes.byteLength);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** Longest code that bzip2 writes. */
const LONGEST = 17;

/** The codes of these lengths: in order of length, then of symbol. */
function codesOf(lengths: Uint8Array): Uint32Array {
  const codes = new Uint32Array(lengths.length);
  let code = 0;
  for (let length = 1; length <= LONGEST; length++) {
    for (let symbol = 0; symbol < lengths.length; symbol++) if (lengths[symbol] === length) codes[symbol] = code++;
    code <<= 1;
  }
  return codes;
}
