/** The optional package for Arrow. */
import { failure } from "../../../errors.js";

export type Arrow = typeof import("apache-arrow");

export async function loadArrow(): Promise<Arrow> {
  try {
    return await import("apache-arrow");
  } catch (cause) {
    throw failure("Unsupported", "Arrow needs the package apache-arrow: npm install apache-arrow", { cause });
  }
}
