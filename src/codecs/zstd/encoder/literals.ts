import { codeLengths } from "../../huffman-lengths.js";
import { BackwardWriter } from "./bits.js";
import { describe, FseEncoder, normalize } from "./fse.js";

const LONGEST = 11;
const WEIGHT_ACCURACY = 6;
/** Fewer literals are not worth a table. */
const FEW = 64;
/** Up to here one stream; four are decoded faster. */
const ONE_STREAM = 1023;

const RAW = 0;
const RLE = 1;
const COMPRESSED = 2;

/** The literals section of a block: Huffman-coded when that is shorter. */
export function writeLiterals(literals: Uint8Array): Uint8Array {
  const size = literals.byteLength;
  if (size > 0 && literals.every((byte) => byte === literals[0])) {
    return Buffer.concat([plainHead(RLE, size), literals.subarray(0, 1)]);
  }
  const coded = size > FEW ? huffman(literals) : undefined;
  return coded ?? Buffer.concat([plainHead(RAW, size), literals]);
}

function plainHead(type: number, size: number): Uint8Array {
  if (size < 32) return Uint8Array.of(type | (size << 3));
  if (size < 4096) return Uint8Array.of(type | 4 | (size << 4), size >> 4);
  return Uint8Array.of(type | 12 | (size << 4), size >> 4, size >> 12);
}

function huffman(literals: Uint8Array): Uint8Array | undefined {
  const table = new Table(literals);
  const description = table.describe();
  if (!description) return undefined;
  const size = literals.byteLength;
  const streams = size <= ONE_STREAM ? [literals] : quarters(literals);
  const coded = streams.map((part) => table.encode(part));
  const jumps = new Uint8Array(streams.length === 1 ? 0 : 6);
  for (let at = 0; at < jumps.byteLength / 2; at++) {
    jumps[2 * at] = coded[at]!.byteLength;
    jumps[2 * at + 1] = coded[at]!.byteLength >> 8;
  }
  const body = Buffer.concat([description, jumps, ...coded]);
  if (body.byteLength + 5 >= size) return undefined;
  return Buffer.concat([codedHead(streams.length, size, body.byteLength), body]);
}

function quarters(literals: Uint8Array): Uint8Array[] {
  const share = (literals.byteLength + 3) >> 2;
  return [0, 1, 2, 3].map((part) => literals.subarray(part * share, part === 3 ? undefined : (part + 1) * share));
}

/** Type and number of streams in four bits, then both sizes in 10, 14 or 18 bits each. */
function codedHead(streams: number, size: number, stored: number): Uint8Array {
  const format = streams === 1 ? 0 : size < 1024 ? 1 : size < 16_384 ? 2 : 3;
  const width = [10, 10, 14, 18][format]!;
  let rest = COMPRESSED + 4 * format + 16 * size + 2 ** (4 + width) * stored;
  return Uint8Array.from({ length: [3, 3, 4, 5][format]! }, () => {
    const byte = rest % 256;
    rest = Math.floor(rest / 256);
    return byte;
  });
}

class Table {
  readonly #lengths = new Uint8Array(256);
  readonly #codes = new Uint16Array(256);
  readonly #weights: Uint8Array;

  constructor(literals: Uint8Array) {
    const counts = new Int32Array(256);
    for (let at = 0; at < literals.byteLength; at++) counts[literals[at]!]!++;
    const used = [...counts.keys()].filter((symbol) => counts[symbol]! > 0);
    const found = codeLengths(
      Int32Array.from(used, (symbol) => counts[symbol]!),
      LONGEST,
    );
    for (const [index, symbol] of used.entries()) this.#lengths[symbol] = found[index]!;
    const bits = Math.max(...found);
    this.#weights = this.#lengths.subarray(0, used.at(-1)! + 1).map((length) => (length > 0 ? bits + 1 - length : 0));
    this.#assign(bits);
  }

  /** Codes ascend from the longest, which are the lowest weights, and within a length by symbol. */
  #assign(bits: number): void {
    let at = 0;
    for (let weight = 1; weight <= bits; weight++) {
      for (let symbol = 0; symbol < this.#weights.length; symbol++) {
        if (this.#weights[symbol] !== weight) continue;
        this.#codes[symbol] = at >> (weight - 1);
        at += 1 << (weight - 1);
      }
    }
  }

  /** All weights but the last; undefined when they cannot be told. */
  describe(): Uint8Array | undefined {
    const weights = this.#weights.subarray(0, -1);
    const coded = codeWeights(weights);
    if (coded && coded.byteLength < 128) return Buffer.concat([Uint8Array.of(coded.byteLength), coded]);
    if (weights.length > 128) return undefined;
    const nibbles = new Uint8Array(1 + ((weights.length + 1) >> 1));
    nibbles[0] = 127 + weights.length;
    for (let at = 0; at < weights.length; at++) nibbles[1 + (at >> 1)]! |= weights[at]! << (at % 2 === 0 ? 4 : 0);
    return nibbles;
  }

  encode(part: Uint8Array): Uint8Array {
    const writer = new BackwardWriter(part.byteLength);
    for (let at = part.byteLength - 1; at >= 0; at--) writer.write(this.#codes[part[at]!]!, this.#lengths[part[at]!]!);
    return writer.finish();
  }
}

/** Two states take turns from the end on; the reader meets the even ones first. */
function codeWeights(weights: Uint8Array): Uint8Array | undefined {
  const counts = new Int32Array(LONGEST + 2);
  for (const weight of weights) counts[weight]!++;
  if (weights.length < 4 || counts.includes(weights.length)) return undefined;
  const shares = normalize(counts, weights.length, WEIGHT_ACCURACY);
  const table = new FseEncoder(shares, WEIGHT_ACCURACY);
  const writer = new BackwardWriter(64);
  const last = weights.length - 1;
  const states = [0, 0];
  states[last % 2] = table.first(weights[last]!);
  states[(last - 1) % 2] = table.first(weights[last - 1]!);
  for (let at = last - 2; at >= 0; at--) states[at % 2] = table.next(writer, states[at % 2]!, weights[at]!);
  table.flush(writer, states[1]!);
  table.flush(writer, states[0]!);
  return Buffer.concat([describe(shares, WEIGHT_ACCURACY), writer.finish()]);
}
