/** When the built-in parser will do. */
import type { Encoding } from "./encoding.js";

/** Sixteen digits and no fraction. In a string it is a false alarm. */
const LONG_INT = /(?<![0-9.])[0-9]{16,}(?![0-9.eE])/;

/** Whether JSON.parse gives the value of this text: integers that a number may not hold, and envelopes, need more. */
export function isSimple(text: string, encoding: Encoding): boolean {
  return !LONG_INT.test(text) && !encoding.mayRevive(text);
}

/** What the engine makes of it; undefined when it is not JSON, which our own parser says better, or is Python's kind. */
export function builtIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
