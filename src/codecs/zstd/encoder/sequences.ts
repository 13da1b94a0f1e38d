import { CODES, type Code, LITERAL_BASES, LITERAL_BITS, MATCH_BASES, MATCH_BITS } from "../codes.js";
import { BackwardWriter } from "./bits.js";
import { describe, FseEncoder, normalize } from "./fse.js";

/** With fewer sequences the tables by default are shorter than a description. */
const FEW = 64;
/** Accuracy of a described table: the format begins at 5, and 2^6 cells hold every code there is. */
const LEAST = 6;

/** Copy so many literals, then so many bytes from there. */
export class SequenceList {
  count = 0;
  readonly literals: Int32Array;
  readonly lengths: Int32Array;
  /** Distance + 3, or 1 for the last distance again. */
  readonly offsets: Int32Array;

  constructor(room: number) {
    this.literals = new Int32Array(room);
    this.lengths = new Int32Array(room);
    this.offsets = new Int32Array(room);
  }

  add(literals: number, length: number, offset: number): void {
    this.literals[this.count] = literals;
    this.lengths[this.count] = length;
    this.offsets[this.count++] = offset;
  }
}

const LITERAL_CODES = codesBelow(LITERAL_BASES, 64);
const MATCH_CODES = codesBelow(MATCH_BASES, 131);

/** For small values: the code whose range a value is in. */
function codesBelow(bases: Uint32Array, limit: number): Uint8Array {
  let code = 0;
  return Uint8Array.from({ length: limit }, (_, value) => {
    while (code + 1 < bases.length && bases[code + 1]! <= value) code++;
    return code;
  });
}

/** Above the small values every code is a power of two, 64 and 128 with code 25 and 43. */
function literalCode(length: number): number {
  return length < 64 ? LITERAL_CODES[length]! : 50 - Math.clz32(length);
}

function matchCode(length: number): number {
  return length < 131 ? MATCH_CODES[length]! : 67 - Math.clz32(length - 3);
}

/** The sequences section of a block. */
export function writeSequences(list: SequenceList): Uint8Array {
  if (list.count === 0) return Uint8Array.of(0);
  const codes = codesOf(list);
  const tables = CODES.map((code, index) => chooseTable(code, codes[index]!));
  const modes = tables.reduce((sum, table, index) => sum | (table.mode << (6 - 2 * index)), 0);
  const bits = writeBits(
    list,
    codes,
    tables.map(({ encoder }) => encoder),
  );
  return Buffer.concat([countHead(list.count), Uint8Array.of(modes), ...tables.map(({ head }) => head), bits]);
}

function codesOf(list: SequenceList): Uint8Array[] {
  const { count, literals, offsets, lengths } = list;
  const codes = [new Uint8Array(count), new Uint8Array(count), new Uint8Array(count)] as const;
  for (let at = 0; at < count; at++) {
    codes[0][at] = literalCode(literals[at]!);
    codes[1][at] = 31 - Math.clz32(offsets[at]!);
    codes[2][at] = matchCode(lengths[at]!);
  }
  return [...codes];
}

function countHead(count: number): Uint8Array {
  if (count < 128) return Uint8Array.of(count);
  if (count < 0x7f00) return Uint8Array.of((count >> 8) + 128, count);
  return Uint8Array.of(255, count - 0x7f00, (count - 0x7f00) >> 8);
}

interface ChosenTable {
  /** 0 by default, 1 one symbol, 2 described. */
  mode: number;
  head: Uint8Array;
  encoder: FseEncoder;
}

function chooseTable(code: Code, symbols: Uint8Array): ChosenTable {
  const counts = new Int32Array(code.symbols);
  for (let at = 0; at < symbols.length; at++) counts[symbols[at]!]!++;
  if (counts.includes(symbols.length) && symbols.length > 2) {
    return { mode: 1, head: symbols.subarray(0, 1), encoder: new FseEncoder(counts.map(Math.sign), 0) };
  }
  if (symbols.length < FEW) {
    return { mode: 0, head: symbols.subarray(0, 0), encoder: new FseEncoder(code.counts, code.accuracy) };
  }
  const accuracy = Math.max(LEAST, Math.min(code.most, 26 - Math.clz32(symbols.length) + 3));
  const shares = normalize(counts, symbols.length, accuracy);
  return { mode: 2, head: describe(shares, accuracy), encoder: new FseEncoder(shares, accuracy) };
}

/** From the last sequence to the first, because the reader goes the other way. */
function writeBits(list: SequenceList, codes: Uint8Array[], encoders: FseEncoder[]): Uint8Array {
  const [literalCodes, offsetCodes, matchCodes] = codes as [Uint8Array, Uint8Array, Uint8Array];
  const [literal, offset, match] = encoders as [FseEncoder, FseEncoder, FseEncoder];
  const writer = new BackwardWriter(4 * list.count);
  const last = list.count - 1;
  let matchState = match.first(matchCodes[last]!);
  let offsetState = offset.first(offsetCodes[last]!);
  let literalState = literal.first(literalCodes[last]!);
  for (let at = last; at >= 0; at--) {
    const literalCode = literalCodes[at]!;
    const offsetCode = offsetCodes[at]!;
    const matchCode = matchCodes[at]!;
    if (at < last) {
      offsetState = offset.next(writer, offsetState, offsetCode);
      matchState = match.next(writer, matchState, matchCode);
      literalState = literal.next(writer, literalState, literalCode);
    }
    writer.write(list.literals[at]! - LITERAL_BASES[literalCode]!, LITERAL_BITS[literalCode]!);
    writer.write(list.lengths[at]! - MATCH_BASES[matchCode]!, MATCH_BITS[matchCode]!);
    writer.write(list.offsets[at]!, offsetCode);
  }
  match.flush(writer, matchState);
  offset.flush(writer, offsetState);
  literal.flush(writer, literalState);
  return writer.finish();
}
