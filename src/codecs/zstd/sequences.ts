import { copyMatch, type History, viewOf } from "../history.js";
import { BackwardBits } from "./bits.js";
import { CODES, LITERAL_BASES, LITERAL_BITS, MATCH_BASES, MATCH_BITS, standardTable } from "./codes.js";
import { constantTable, type FseTable, readTable } from "./fse.js";
import type { Literals } from "./literals.js";

const PREDEFINED = 0;
const CONSTANT = 1;
const DESCRIBED = 2;

const STANDARD = CODES.map(standardTable);
/** Offsets need more than the window's 27 bits for no valid frame. */
const MOST_OFFSET_CODE = 28;

/** The sequences of blocks: which literals to copy and what to repeat behind them. */
export class Sequences {
  #tables: (FseTable | undefined)[] = [undefined, undefined, undefined];
  readonly #offsets = Int32Array.of(1, 4, 8);

  /** Reads the sequences in `bytes`, `at` to `end`, and writes what they say to `history`. Whether they are sound. */
  run(bytes: Uint8Array, at: number, end: number, literals: Literals, history: History, limit: number): boolean {
    const head = readCount(bytes, at, end);
    if (!head) return false;
    if (head.count === 0) return head.at === end && finish(literals, 0, history, limit);
    const from = this.#readTables(bytes, head.at, end);
    if (from < 0) return false;
    const used = this.#execute(new BackwardBits(bytes, from, end), head.count, literals, history, limit);
    return used >= 0 && finish(literals, used, history, limit);
  }

  #readTables(bytes: Uint8Array, at: number, end: number): number {
    const modes = bytes[at]!;
    if (at >= end || modes & 3) return -1;
    let next = at + 1;
    for (const [index, code] of CODES.entries()) {
      const mode = (modes >> (6 - 2 * index)) & 3;
      if (mode === PREDEFINED) this.#tables[index] = STANDARD[index];
      else if (mode === CONSTANT) {
        if (next >= end || bytes[next]! >= code.symbols) return -1;
        this.#tables[index] = constantTable(bytes[next++]!);
      } else if (mode === DESCRIBED) {
        const read = readTable(bytes, next, end, code.most, code.symbols);
        if (!read) return -1;
        this.#tables[index] = read.table;
        next = read.at;
      } else if (!this.#tables[index]) return -1;
    }
    return next;
  }

  /** How many literals were used; -1 when the sequences are damaged. */
  #execute(bits: BackwardBits, count: number, literals: Literals, history: History, limit: number): number {
    const [literalTable, offsetTable, matchTable] = this.#tables as [FseTable, FseTable, FseTable];
    const literalCells = literalTable.cells;
    const offsetCells = offsetTable.cells;
    const matchCells = matchTable.cells;
    const literalBytes = literals.bytes;
    const literalView = viewOf(literalBytes);
    const { bytes, view, low } = history;
    const safeTo = bytes.byteLength - 4;
    const safeFrom = literalBytes.byteLength - 4;
    const { start } = bits;
    let [near, middle, far] = this.#offsets as unknown as [number, number, number];
    let literalState = bits.read(literalTable.accuracy);
    let offsetState = bits.read(offsetTable.accuracy);
    let matchState = bits.read(matchTable.accuracy);
    let from = 0;
    let to = history.at;
    for (let left = count; left > 0; left--) {
      if (bits.at < start) return -1;
      const literalCell = literalCells[literalState]!;
      const offsetCell = offsetCells[offsetState]!;
      const matchCell = matchCells[matchState]!;
      const offsetCode = offsetCell & 255;
      if (offsetCode > MOST_OFFSET_CODE) return -1;
      let offset: number;
      if (offsetCode > 16) {
        const top = bits.read(offsetCode - 16);
        offset = 2 ** offsetCode + top * 65_536 + bits.read(16);
      } else {
        offset = (1 << offsetCode) + bits.read(offsetCode);
      }
      const length = MATCH_BASES[matchCell & 255]! + bits.read(MATCH_BITS[matchCell & 255]!);
      const literalLength = LITERAL_BASES[literalCell & 255]! + bits.read(LITERAL_BITS[literalCell & 255]!);
      if (offset > 3) {
        offset -= 3;
        far = middle;
        middle = near;
        near = offset;
      } else {
        const index = literalLength === 0 ? offset + 1 : offset;
        offset = index === 1 ? near : index === 2 ? middle : index === 3 ? far : near - 1;
        if (index > 2) far = middle;
        if (index > 1) {
          middle = near;
          near = offset;
        }
      }
      if (left > 1) {
        literalState = (literalCell >>> 16) + bits.read((literalCell >>> 8) & 255);
        matchState = (matchCell >>> 16) + bits.read((matchCell >>> 8) & 255);
        offsetState = (offsetCell >>> 16) + bits.read((offsetCell >>> 8) & 255);
      }
      const literalEnd = from + literalLength;
      let stop = to + literalLength;
      if (literalEnd > literals.length || stop + length > limit) return -1;
      if (literalLength <= 64 && literalEnd <= safeFrom && stop <= safeTo) {
        for (; to < stop; to += 4, from += 4) view.setInt32(to, literalView.getInt32(from));
      } else {
        bytes.set(literalBytes.subarray(from, literalEnd), to);
      }
      from = literalEnd;
      to = stop;
      stop = to + length;
      let ref = to - offset;
      if (offset <= 0 || ref < low) return -1;
      if (length <= 64 && offset >= 4 && stop <= safeTo) {
        for (; to < stop; to += 4, ref += 4) view.setInt32(to, view.getInt32(ref));
      } else {
        copyMatch(bytes, to, offset, length);
      }
      to = stop;
    }
    history.at = to;
    this.#offsets.set([near, middle, far]);
    return bits.at === start ? from : -1;
  }
}

function readCount(bytes: Uint8Array, at: number, end: number): { count: number; at: number } | undefined {
  const head = bytes[at]!;
  const length = head < 128 ? 1 : head < 255 ? 2 : 3;
  if (at + length > end) return undefined;
  if (length === 1) return { count: head, at: at + 1 };
  const next = bytes[at + 1]!;
  return { count: length === 2 ? (head - 128) * 256 + next : next + bytes[at + 2]! * 256 + 0x7f00, at: at + length };
}

/** The literals behind the last sequence. */
function finish(literals: Literals, used: number, history: History, limit: number): boolean {
  const rest = literals.length - used;
  if (history.at + rest > limit) return false;
  history.bytes.set(literals.bytes.subarray(used, literals.length), history.at);
  history.at += rest;
  return true;
}
