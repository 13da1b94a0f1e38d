// xxHash, 64 bits, seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;
const STRIPE = 32;

const cut = (x: bigint) => BigInt.asUintN(64, x);
const rotate = (x: bigint, by: bigint) => cut(x << by) | (x >> (64n - by));
const round = (lane: bigint, word: bigint) => cut(rotate(cut(lane + word * P2), 31n) * P1);

/** The hash of bytes that come in pieces. Stripes are hashed in halves of 32 bits: bigints are far too slow for them. */
export class Xxh64 {
  /** High and low half of each of the four lanes. */
  readonly #lanes = Int32Array.from([P1 + P2, P2, 0n, -P1].flatMap((lane) => [half(lane >> 32n), half(lane)]));
  readonly #rest = new Uint8Array(STRIPE);
  #kept = 0;
  #length = 0;

  add(data: Uint8Array): void {
    this.#length += data.byteLength;
    let at = 0;
    if (this.#kept > 0) {
      at = Math.min(STRIPE - this.#kept, data.byteLength);
      this.#keep(data.subarray(0, at));
      if (this.#kept < STRIPE) return;
      this.#stripes(this.#rest);
      this.#kept = 0;
    }
    const whole = (data.byteLength - at) & -STRIPE;
    if (whole > 0) this.#stripes(data.subarray(at, at + whole));
    this.#keep(data.subarray(at + whole));
  }

  /** The low 32 bits, unsigned, which is what zstd stores. */
  low(): number {
    const lanes = [0, 1, 2, 3].map((lane) => this.#lane(lane));
    const [a, b, c, d] = lanes as [bigint, bigint, bigint, bigint];
    let hash = P5;
    if (this.#length >= STRIPE) {
      hash = cut(rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n));
      for (const lane of lanes) hash = cut((hash ^ round(0n, lane)) * P1 + P4);
    }
    return Number(BigInt.asUintN(32, avalanche(this.#tail(cut(hash + BigInt(this.#length))))));
  }

  #keep(data: Uint8Array): void {
    this.#rest.set(data, this.#kept);
    this.#kept += data.byteLength;
  }

  #stripes(data: Uint8Array): void {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    for (let lane = 0; lane < 4; lane++) rounds(view, this.#lanes, lane);
  }

  #lane(lane: number): bigint {
    return (BigInt(this.#lanes[2 * lane]! >>> 0) << 32n) | BigInt(this.#lanes[2 * lane + 1]! >>> 0);
  }

  #tail(hash: bigint): bigint {
    const view = new DataView(this.#rest.buffer);
    let at = 0;
    let sum = hash;
    for (; at + 8 <= this.#kept; at += 8) {
      sum = cut(rotate(sum ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4);
    }
    if (at + 4 <= this.#kept) {
      sum = cut(rotate(sum ^ cut(BigInt(view.getUint32(at, true)) * P1), 23n) * P2 + P3);
      at += 4;
    }
    for (; at < this.#kept; at++) sum = cut(rotate(sum ^ cut(BigInt(this.#rest[at]!) * P5), 11n) * P1);
    return sum;
  }
}

function half(x: bigint): number {
  return Number(BigInt.asIntN(32, x));
}

function avalanche(hash: bigint): bigint {
  let sum = cut((hash ^ (hash >> 33n)) * P2);
  sum = cut((sum ^ (sum >> 29n)) * P3);
  return sum ^ (sum >> 32n);
}

/** One lane's rounds over all stripes: `lane = rotate(lane + word * P2, 31) * P1`, products made of 16-bit parts. */
function rounds(view: DataView, lanes: Int32Array, lane: number): void {
  const size = view.byteLength;
  let high = lanes[2 * lane]!;
  let low = lanes[2 * lane + 1]!;
  for (let at = 8 * lane; at < size; at += 32) {
    const word = view.getInt32(at, true);
    let a = word & 0xffff;
    let b = word >>> 16;
    let aa = Math.imul(a, 0xeb4f);
    let ab = Math.imul(a, 0x27d4);
    let ba = Math.imul(b, 0xeb4f);
    let middle = ((aa >>> 16) + (ab & 0xffff) + (ba & 0xffff)) | 0;
    let productHigh =
      (Math.imul(b, 0x27d4) +
        (ab >>> 16) +
        (ba >>> 16) +
        (middle >>> 16) +
        Math.imul(word, 0xc2b2ae3d) +
        Math.imul(view.getInt32(at + 4, true), 0x27d4eb4f)) |
      0;
    const productLow = (aa & 0xffff) | (middle << 16);
    const sumLow = (low + productLow) | 0;
    const sumHigh = (high + productHigh + (sumLow >>> 0 < productLow >>> 0 ? 1 : 0)) | 0;
    high = (sumHigh << 31) | (sumLow >>> 1);
    low = (sumLow << 31) | (sumHigh >>> 1);
    a = low & 0xffff;
    b = low >>> 16;
    aa = Math.imul(a, 0xca87);
    ab = Math.imul(a, 0x85eb);
    ba = Math.imul(b, 0xca87);
    middle = ((aa >>> 16) + (ab & 0xffff) + (ba & 0xffff)) | 0;
    productHigh =
      (Math.imul(b, 0x85eb) +
        (ab >>> 16) +
        (ba >>> 16) +
        (middle >>> 16) +
        Math.imul(low, 0x9e3779b1) +
        Math.imul(high, 0x85ebca87)) |
      0;
    low = (aa & 0xffff) | (middle << 16);
    high = productHigh;
  }
  lanes[2 * lane] = high;
  lanes[2 * lane + 1] = low;
}
