import { STRETCH } from "./format.js";

/** A text of small numbers. */
type Text = Uint8Array | Int32Array;

/**
 * The suffixes of `text`, numbers below `alphabet`, in order; a suffix comes before those that it begins. Linear time:
 * the induced sorting of Nong, Zhang and Chan ("Two Efficient Algorithms for Linear Time Suffix Array Construction",
 * 2011). Yields now and then, so that the caller can let others run.
 *
 * A suffix is small (S) when it is less than the next one, else large (L). An LMS suffix is an S behind an L. During
 * induction an entry is complemented (`~`) where the walk in progress has nothing to induce from it.
 */
export function* sortSuffixes(text: Text, alphabet: number, order: Int32Array): Generator<void> {
  const size = text.length;
  if (size < 2) {
    order.fill(0, 0, size);
    return;
  }
  const counts = countsOf(text, alphabet);
  const places = new Int32Array(alphabet);
  yield;
  order.fill(0, 0, size);
  ends(counts, places);
  const found = placeLms(text, places, order);
  yield;
  if (found > 1) {
    yield* induce(text, counts, places, order);
    const names = yield* nameLms(text, order, found);
    yield* sortLms(text, order, found, names);
    yield* spreadLms(text, counts, places, order, found);
  }
  yield* induce(text, counts, places, order);
}

function countsOf(text: Text, alphabet: number): Int32Array {
  const counts = new Int32Array(alphabet);
  for (let at = 0; at < text.length; at++) counts[text[at]!]!++;
  return counts;
}

/** Where the suffixes of each first number begin. */
function begins(counts: Int32Array, places: Int32Array): void {
  for (let at = 0, sum = 0; at < counts.length; at++) {
    places[at] = sum;
    sum += counts[at]!;
  }
}

/** Where they end. */
function ends(counts: Int32Array, places: Int32Array): void {
  for (let at = 0, sum = 0; at < counts.length; at++) {
    sum += counts[at]!;
    places[at] = sum;
  }
}

/** Puts the LMS suffixes at the ends of their buckets, in any order. How many there are. */
function placeLms(text: Text, places: Int32Array, order: Int32Array): number {
  let found = 0;
  let small = false;
  let next = text[text.length - 1]!;
  for (let at = text.length - 2; at >= 0; at--) {
    const here = text[at]!;
    if (here < next) small = true;
    else if (here > next) {
      if (small) {
        order[--places[next]!] = at + 1;
        found++;
      }
      small = false;
    }
    next = here;
  }
  return found;
}

/** Sorts all suffixes by the LMS suffixes, which stand in their buckets: the large ones forwards, the small ones backwards. */
function* induce(text: Text, counts: Int32Array, places: Int32Array, order: Int32Array): Generator<void> {
  const size = text.length;
  begins(counts, places);
  const last = text[size - 1]!;
  order[places[last]!++] = text[size - 2]! < last ? ~(size - 1) : size - 1;
  for (let from = 0; from < size; from += STRETCH) {
    induceLarge(text, places, order, from, Math.min(size, from + STRETCH));
    yield;
  }
  ends(counts, places);
  for (let to = size; to > 0; to -= STRETCH) {
    induceSmall(text, places, order, Math.max(0, to - STRETCH), to);
    yield;
  }
}

/** Complemented on the way: what this walk has used, and what only the next walk must use. */
function induceLarge(text: Text, places: Int32Array, order: Int32Array, from: number, to: number): void {
  for (let rank = from; rank < to; rank++) {
    const suffix = order[rank]!;
    order[rank] = ~suffix;
    if (suffix <= 0) continue;
    const before = suffix - 1;
    const first = text[before]!;
    order[places[first]!++] = before > 0 && text[before - 1]! < first ? ~before : before;
  }
}

function induceSmall(text: Text, places: Int32Array, order: Int32Array, from: number, to: number): void {
  for (let rank = to - 1; rank >= from; rank--) {
    const suffix = order[rank]!;
    if (suffix <= 0) {
      order[rank] = ~suffix;
      continue;
    }
    const before = suffix - 1;
    const first = text[before]!;
    order[--places[first]!] = before === 0 || text[before - 1]! > first ? ~before : before;
  }
}

/**
 * Gathers the sorted LMS suffixes at the start of `order` and names the substrings between one and the next, equal ones
 * alike, from 1 up. The names stand behind, at half the position. How many names there are.
 */
function* nameLms(text: Text, order: Int32Array, found: number): Generator<void, number> {
  for (let from = 0, filled = 0; from < text.length; from += STRETCH) {
    filled = gatherLms(text, order, from, Math.min(text.length, from + STRETCH), filled);
    yield;
  }
  order.fill(0, found, text.length);
  lengthsOfLms(text, order, found);
  return yield* nameBySubstring(text, order, found);
}

function* nameBySubstring(text: Text, order: Int32Array, found: number): Generator<void, number> {
  let names = 0;
  let previous = text.length;
  let previousLength = 0;
  for (let rank = 0; rank < found; rank++) {
    if (rank % STRETCH === 0) yield;
    const at = order[rank]!;
    const slot = found + (at >> 1);
    const length = order[slot]!;
    if (length !== previousLength || !sameText(text, at, previous, length)) {
      names++;
      previous = at;
      previousLength = length;
    }
    order[slot] = names;
  }
  return names;
}

function sameText(text: Text, a: number, b: number, length: number): boolean {
  // The substring that the text's end cuts off is like no other.
  if (b + length >= text.length) return false;
  for (let at = 0; at < length; at++) if (text[a + at] !== text[b + at]) return false;
  return true;
}

/** Moves the LMS suffixes among the ranks `from` to `to` behind the first `filled` ones. How many there are now. */
function gatherLms(text: Text, order: Int32Array, from: number, to: number, already: number): number {
  const size = text.length;
  let filled = already;
  for (let rank = from; rank < to; rank++) {
    const at = order[rank]!;
    if (at === 0 || text[at - 1]! <= text[at]!) continue;
    let next = at + 1;
    while (next < size && text[next] === text[at]) next++;
    if (next < size && text[next]! > text[at]!) order[filled++] = at;
  }
  return filled;
}

function lengthsOfLms(text: Text, order: Int32Array, found: number): void {
  let end = text.length;
  let small = false;
  let next = text[end - 1]!;
  for (let at = end - 2; at >= 0; at--) {
    const here = text[at]!;
    if (here < next) small = true;
    else if (here > next) {
      if (small) {
        order[found + ((at + 1) >> 1)] = end - at - 1;
        end = at + 1;
      }
      small = false;
    }
    next = here;
  }
}

/** Sorts the LMS suffixes by their names, where names repeat by sorting the text of names. */
function* sortLms(text: Text, order: Int32Array, found: number, names: number): Generator<void> {
  if (names === found) return;
  const size = text.length;
  const reduced = new Int32Array(found);
  let filled = 0;
  for (let at = found; at < size; at++) if (order[at] !== 0) reduced[filled++] = order[at]! - 1;
  yield;
  yield* sortSuffixes(reduced, names, order);
  positionsOfLms(text, reduced);
  yield;
  for (let rank = 0; rank < found; rank++) {
    if (rank % STRETCH === 0) yield;
    order[rank] = reduced[order[rank]!]!;
  }
}

function positionsOfLms(text: Text, positions: Int32Array): void {
  let left = positions.length;
  let small = false;
  let next = text[text.length - 1]!;
  for (let at = text.length - 2; at >= 0; at--) {
    const here = text[at]!;
    if (here < next) small = true;
    else if (here > next) {
      if (small) positions[--left] = at + 1;
      small = false;
    }
    next = here;
  }
}

/** Moves the sorted LMS suffixes from the start of `order` to the ends of their buckets. */
function* spreadLms(
  text: Text,
  counts: Int32Array,
  places: Int32Array,
  order: Int32Array,
  found: number,
): Generator<void> {
  ends(counts, places);
  order.fill(0, found, text.length);
  for (let rank = found - 1; rank >= 0; rank--) {
    if (rank % STRETCH === 0) yield;
    const at = order[rank]!;
    order[rank] = 0;
    order[--places[text[at]!]!] = at;
  }
}
