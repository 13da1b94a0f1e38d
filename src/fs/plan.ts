import { failure } from "../errors.js";

const MIB = 2 ** 20;

/** What a provider allows in one upload. */
export interface Limits {
  /** Largest body that goes in one request, bytes. A body of unknown size is read ahead no further than one part. */
  readonly single: number;
  /** Size of a part when nothing asks for larger ones, bytes; a multiple of `multiple`. */
  readonly part: number;
  /** Largest part that the provider takes, bytes. */
  readonly largest: number;
  /** Most parts of one upload. */
  readonly count: number;
  /** Every part but the last is a multiple of this many bytes. */
  readonly multiple: number;
  /** Most parts in flight. */
  readonly parallel: number;
  /** Whether all parts but the last must have the same size, as on R2. */
  readonly uniform: boolean;
}

/** Bytes of the part with this index, counted from 0, unless the body ends in it. Throws TooLarge past the last part. */
export type PartSizes = (index: number) => number;

/**
 * A known size gets equal parts, as few bytes each as `count` allows (to the MiB). An unknown one gets parts of 1, 2, 4
 * and 8 times `part` for a tenth of `count` each, then a linear ramp: 10,000 parts from 8 MiB hold 5 TiB, and the
 * first 117 GiB never need more than 64 MiB for one. Throws TooLarge for a size that no plan can hold.
 */
export function partSizes(limits: Limits, size: number | undefined): PartSizes {
  const sizeOf = size === undefined ? growing(limits) : equal(limits, size);
  return (index) => {
    if (index >= limits.count) throw tooMany(limits, sizeOf);
    return sizeOf(index);
  };
}

function equal(limits: Limits, size: number): PartSizes {
  const needed = roundUp(Math.ceil(size / limits.count), Math.min(MIB, limits.part));
  const part = capped(limits, Math.max(limits.part, needed));
  if (part * limits.count < size) {
    throw failure("TooLarge", `${size} bytes, the limit is ${part * limits.count}`);
  }
  return () => part;
}

function growing(limits: Limits): PartSizes {
  const { part, count, uniform } = limits;
  if (uniform) return () => part;
  const step = Math.max(1, Math.floor(count / 10));
  const slope = (0.2634 / 8) * part * (10_000 / count);
  return (index) => {
    const doublings = Math.floor(index / step);
    if (doublings < 4) return capped(limits, part * 2 ** doublings);
    return capped(limits, part * 8 + slope * (index - 4 * step + 1));
  };
}

function capped({ largest, multiple }: Limits, bytes: number): number {
  const most = Math.floor(largest / multiple) * multiple;
  return Math.min(roundUp(bytes, multiple), most);
}

function roundUp(bytes: number, multiple: number): number {
  return Math.ceil(bytes / multiple) * multiple;
}

function tooMany({ count }: Limits, sizeOf: PartSizes): Error {
  let held = 0;
  for (let index = 0; index < count; index++) held += sizeOf(index);
  return failure(
    "TooLarge",
    `more than ${held} bytes, which is what ${count} parts hold; a known size allows larger parts`,
  );
}
