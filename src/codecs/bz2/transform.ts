import { sortSuffixes } from "./suffixes.js";

/** Steps of a loop between two looks at the clock. */
const STRETCH = 100_000;

/**
 * The Burrows-Wheeler transform of `block` into `out`: the last bytes of its sorted rotations. Returns the rank of the
 * block itself; yields now and then.
 *
 * Of a text that begins with its least rotation, the suffixes have the order of the rotations (it is a power of a Lyndon
 * word), so that sorting suffixes, which takes linear time for any input, is enough.
 */
export function* transform(block: Uint8Array, order: Int32Array, out: Uint8Array): Generator<void, number> {
  const size = block.byteLength;
  const least = yield* leastRotation(block);
  const text = new Uint8Array(size);
  text.set(block.subarray(least));
  text.set(block.subarray(0, least), size - least);
  yield* sortSuffixes(text, 256, order);
  const first = least === 0 ? 0 : size - least;
  let origin = 0;
  for (let from = 0; from < size; from += STRETCH) {
    const found = lastBytes(text, order, out, first, from, Math.min(size, from + STRETCH));
    if (found >= 0) origin = found;
    yield;
  }
  return origin;
}

/** The last bytes of some of the sorted rotations, and the rank of rotation `first`, -1 when it is none of them. */
function lastBytes(
  text: Uint8Array,
  order: Int32Array,
  out: Uint8Array,
  first: number,
  from: number,
  to: number,
): number {
  const size = text.byteLength;
  let origin = -1;
  for (let rank = from; rank < to; rank++) {
    const at = order[rank]!;
    if (at === first) origin = rank;
    out[rank] = text[at === 0 ? size - 1 : at - 1]!;
  }
  return origin;
}

/** Where the least rotation begins: two candidates leap over what cannot be it. */
function* leastRotation(text: Uint8Array): Generator<void, number> {
  const size = text.byteLength;
  let a = 0;
  let b = 1;
  let same = 0;
  let steps = 0;
  while (a < size && b < size && same < size) {
    const left = text[a + same < size ? a + same : a + same - size]!;
    const right = text[b + same < size ? b + same : b + same - size]!;
    if (++steps % STRETCH === 0) yield;
    if (left === right) {
      same++;
      continue;
    }
    if (left > right) a += same + 1;
    else b += same + 1;
    if (a === b) b++;
    same = 0;
  }
  return Math.min(a, b);
}
