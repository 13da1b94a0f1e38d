/** The memory that a value keeps. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const gc: () => void = runInNewContext("gc");

/** Returns what `make` returns, and the bytes of V8's heap that are kept with it. */
export async function heapOf<T>(make: () => Promise<T>): Promise<{ value: T; bytes: number }> {
  gc();
  const before = process.memoryUsage().heapUsed;
  const value = await make();
  gc();
  return { value, bytes: process.memoryUsage().heapUsed - before };
}
