// xxHash, 64 bits, seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
const PRIME64_1 = 0x9e3779b185ebca87n;
const PRIME64_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME64_3 = 0x165667b19e3779f9n;
const PRIME64_4 = 0x85ebca77c2b2ae63n;
const PRIME64_5 = 0x27d4eb2f165667c5n;
const STRIPE64 = 32;

const cut = (x: bigint) => BigInt.asUintN(64, x);
const rotate64 = (x: bigint, by: bigint) => cut(x << by) | (x >> (64n - by));
const round64 = (lane: bigint, word: bigint) => cut(rotate64(cut(lane + word * PRIME64_2), 31n) * PRIME64_1);

/** The hash of bytes that come in pieces. Stripes are hashed in halves of 32 bits: bigints are far too slow for them. */
export class Xxh64 {
  /** High and low half of each of the four lanes. */
  readonly #lanes = Int32Array.from(
    [PRIME64_1 + PRIME64_2, PRIME64_2, 0n, -PRIME64_1].flatMap((lane) => [half(lane >> 32n), half(lane)]),
  );
  readonly #rest = new Uint8Array(STRIPE64);
  #kept = 0;
  #length = 0;

  add(data: Uint8Array): void {
    this.#length += data.byteLength;
    let at = 0;
    if (this.#kept > 0) {
      at = Math.min(STRIPE64 - this.#kept, data.byteLength);
      this.#keep(data.subarray(0, at));
      if (this.#kept < STRIPE64) return;
      this.#stripes(this.#rest);
      this.#kept = 0;
    }
    const whole = (data.byteLength - at) & -STRIPE64;
    if (whole > 0) this.#stripes(data.subarray(at, at + whole));
    this.#keep(data.subarray(at + whole));
  }

  /** The low 32 bits, unsigned, which is what zstd stores. */
  low(): number {
    const lanes = [0, 1, 2, 3].map((lane) => this.#lane(lane));
    const [a, b, c, d] = lanes as [bigint, bigint, bigint, bigint];
    let hash = PRIME64_5;
    if (this.#length >= STRIPE64) {
      hash = cut(rotate64(a, 1n) + rotate64(b, 7n) + rotate64(c, 12n) + rotate64(d, 18n));
      for (const lane of lanes) hash = cut((hash ^ round64(0n, lane)) * PRIME64_1 + PRIME64_4);
    }
    return Number(BigInt.asUintN(32, avalanche64(this.#tail(cut(hash + BigInt(this.#length))))));
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
      sum = cut(rotate64(sum ^ round64(0n, view.getBigUint64(at, true)), 27n) * PRIME64_1 + PRIME64_4);
    }
    if (at + 4 <= this.#kept) {
      sum = cut(rotate64(sum ^ cut(BigInt(view.getUint32(at, true)) * PRIME64_1), 23n) * PRIME64_2 + PRIME64_3);
      at += 4;
    }
    for (; at < this.#kept; at++) sum = cut(rotate64(sum ^ cut(BigInt(this.#rest[at]!) * PRIME64_5), 11n) * PRIME64_1);
    return sum;
  }
}

function half(x: bigint): number {
  return Number(BigInt.asIntN(32, x));
}

function avalanche64(hash: bigint): bigint {
  let sum = cut((hash ^ (hash >> 33n)) * PRIME64_2);
  sum = cut((sum ^ (sum >> 29n)) * PRIME64_3);
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

// xxHash, 32 bits, seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md).

// Sums are cut to 32 bits at once (`| 0`) and the hot loop has its constants inside, because a bundler turns top-level
// constants into variables: three times faster, both.
const PRIME32_1 = 0x9e3779b1 | 0;
const PRIME32_2 = 0x85ebca77 | 0;
const PRIME32_3 = 0xc2b2ae3d | 0;
const PRIME32_4 = 0x27d4eb2f;
const PRIME32_5 = 0x165667b1;
const STRIPE32 = 16;

function rotate32(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

function round32(lane: number, word: number): number {
  const sum = (lane + Math.imul(word, 0x85ebca77)) | 0;
  return Math.imul((sum << 13) | (sum >>> 19), 0x9e3779b1);
}

/** The hash of bytes that come in pieces. */
export class Xxh32 {
  #lanes = new Int32Array([PRIME32_1 + PRIME32_2, PRIME32_2, 0, -PRIME32_1]);
  #rest = new Uint8Array(STRIPE32);
  #kept = 0;
  #length = 0;

  add(data: Uint8Array): void {
    this.#length += data.byteLength;
    let at = 0;
    if (this.#kept > 0) {
      at = Math.min(STRIPE32 - this.#kept, data.byteLength);
      this.#keep(data.subarray(0, at));
      if (this.#kept < STRIPE32) return;
      this.#stripes(this.#rest);
      this.#kept = 0;
    }
    const whole = (data.byteLength - at) & -STRIPE32;
    if (whole > 0) this.#stripes(data.subarray(at, at + whole));
    this.#keep(data.subarray(at + whole));
  }

  /** Unsigned. */
  digest(): number {
    const [a, b, c, d] = this.#lanes as unknown as [number, number, number, number];
    let hash = PRIME32_5;
    if (this.#length >= STRIPE32) hash = (rotate32(a, 1) + rotate32(b, 7) + rotate32(c, 12) + rotate32(d, 18)) | 0;
    return avalanche32(this.#tail((hash + this.#length) | 0));
  }

  #keep(data: Uint8Array): void {
    this.#rest.set(data, this.#kept);
    this.#kept += data.byteLength;
  }

  #stripes(data: Uint8Array): void {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const lanes = this.#lanes;
    const size = data.byteLength;
    let a = lanes[0]!;
    let b = lanes[1]!;
    let c = lanes[2]!;
    let d = lanes[3]!;
    for (let at = 0; at < size; at += 16) {
      a = round32(a, view.getInt32(at, true));
      b = round32(b, view.getInt32(at + 4, true));
      c = round32(c, view.getInt32(at + 8, true));
      d = round32(d, view.getInt32(at + 12, true));
    }
    lanes.set([a, b, c, d]);
  }

  #tail(hash: number): number {
    const view = new DataView(this.#rest.buffer);
    let at = 0;
    let sum = hash;
    for (; at + 4 <= this.#kept; at += 4) {
      sum = Math.imul(rotate32((sum + Math.imul(view.getInt32(at, true), PRIME32_3)) | 0, 17), PRIME32_4);
    }
    for (; at < this.#kept; at++)
      sum = Math.imul(rotate32((sum + Math.imul(this.#rest[at]!, PRIME32_5)) | 0, 11), PRIME32_1);
    return sum;
  }
}

function avalanche32(hash: number): number {
  let sum = Math.imul(hash ^ (hash >>> 15), PRIME32_2);
  sum = Math.imul(sum ^ (sum >>> 13), PRIME32_3);
  return (sum ^ (sum >>> 16)) >>> 0;
}

/** The hash of one piece. */
export function xxh32(data: Uint8Array): number {
  const hash = new Xxh32();
  hash.add(data);
  return hash.digest();
}
