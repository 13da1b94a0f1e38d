import { failure } from "../../errors.js";

/** Largest dictionary that is accepted: that of `xz -9`. */
const MOST_DICTIONARY = 64 * 1024 * 1024;

/** TooLarge for a dictionary above the limit. */
export function checkDictionary(size: number): number {
  if (size <= MOST_DICTIONARY) return size;
  throw failure("TooLarge", `xz: a dictionary of ${size} bytes, the limit is ${MOST_DICTIONARY}`);
}
