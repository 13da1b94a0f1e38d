import type { BitWriter } from "./bit-writer.js";
import { GROUP, RUN_A, RUN_B } from "./format.js";
import { codeLengths, codesOf } from "./huffman-encoder.js";

/** How often the tables are fitted to the groups that chose them; what bzip2 does. */
const ROUNDS = 4;
/** Cost of the symbols that a first table is not for. */
const FOREIGN = 15;

/** A block as symbols: move-to-front, runs of the front as numbers in base two. */
export interface Symbols {
  symbols: Uint16Array;
  length: number;
  /** How many different symbols there can be. */
  kinds: number;
  used: Uint8Array;
}

export function toSymbols(block: Uint8Array, symbols: Uint16Array): Symbols {
  const used = new Uint8Array(256);
  for (let at = 0; at < block.byteLength; at++) used[block[at]!] = 1;
  const recent = Uint8Array.from([...used.keys()].filter((byte) => used[byte]));
  const end = recent.length + 1;
  let length = 0;
  let run = 0;
  for (let at = 0; at < block.byteLength; at++) {
    const byte = block[at]!;
    let front = recent[0]!;
    if (byte === front) {
      run++;
      continue;
    }
    if (run > 0) length = putRun(symbols, length, run);
    run = 0;
    let place = 0;
    // Moves the bytes before it back while it looks for it.
    do {
      place++;
      const next = recent[place]!;
      recent[place] = front;
      front = next;
    } while (front !== byte);
    recent[0] = byte;
    symbols[length++] = place + 1;
  }
  if (run > 0) length = putRun(symbols, length, run);
  symbols[length++] = end;
  return { symbols, length, kinds: end + 1, used };
}

function putRun(symbols: Uint16Array, at: number, run: number): number {
  let to = at;
  for (let left = run; left > 0; left = (left - 1) >> 1) symbols[to++] = left & 1 ? RUN_A : RUN_B;
  return to;
}

/** Writes which bytes are used, the tables, the table of each group of 50, and the symbols. */
export function writeSymbols(writer: BitWriter, block: Symbols): void {
  const { tables, selectors } = fitTables(block);
  writeUsed(writer, block.used);
  writer.write(3, tables.length);
  writer.write(15, selectors.length);
  writeSelectors(writer, selectors, tables.length);
  for (const lengths of tables) writeLengths(writer, lengths);
  writeGroups(writer, block, tables, selectors);
}

function tableCount(length: number): number {
  if (length < 200) return 2;
  if (length < 600) return 3;
  if (length < 1200) return 4;
  return length < 2400 ? 5 : 6;
}

function fitTables(block: Symbols): { tables: Uint8Array[]; selectors: Uint8Array } {
  let tables = firstTables(block, tableCount(block.length));
  const selectors = new Uint8Array(Math.ceil(block.length / GROUP));
  for (let round = 0; round < ROUNDS; round++) {
    const counts = tables.map(() => new Int32Array(block.kinds));
    for (let group = 0; group < selectors.length; group++) {
      const from = group * GROUP;
      const to = Math.min(block.length, from + GROUP);
      const chosen = cheapest(block.symbols, from, to, tables);
      selectors[group] = chosen;
      const count = counts[chosen]!;
      for (let at = from; at < to; at++) count[block.symbols[at]!]!++;
    }
    tables = counts.map(codeLengths);
  }
  return { tables, selectors };
}

/** To begin with, each table is for its share of the symbols, by how often they come. */
function firstTables(block: Symbols, count: number): Uint8Array[] {
  const counts = new Int32Array(block.kinds);
  for (let at = 0; at < block.length; at++) counts[block.symbols[at]!]!++;
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

function cheapest(symbols: Uint16Array, from: number, to: number, tables: Uint8Array[]): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let index = 0; index < tables.length; index++) {
    const lengths = tables[index]!;
    let cost = 0;
    for (let at = from; at < to; at++) cost += lengths[symbols[at]!]!;
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

function writeGroups(writer: BitWriter, block: Symbols, tables: Uint8Array[], selectors: Uint8Array): void {
  const codes = tables.map(codesOf);
  for (let group = 0; group < selectors.length; group++) {
    const code = codes[selectors[group]!]!;
    const lengths = tables[selectors[group]!]!;
    const to = Math.min(block.length, (group + 1) * GROUP);
    for (let at = group * GROUP; at < to; at++) {
      const symbol = block.symbols[at]!;
      writer.write(lengths[symbol]!, code[symbol]!);
    }
  }
}
