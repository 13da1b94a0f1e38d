/** Reads over one connection, which is taken up again where it broke. */
import { constants } from "node:buffer";
import { failure } from "../errors.js";
import { abortable, collect } from "./bytes.js";
import type { Bytes, Info, ObjectDriver } from "./driver.js";
import { clamped, type Opened, open, type Wanted } from "./pinned.js";

/**
 * The info of an object with a body that is always of that one version: a line that drops, ends early or stalls is
 * taken up at the byte reached. ObjectChanged when the version is gone by then.
 */
export async function resumed(driver: ObjectDriver, key: string, wanted: Wanted): Promise<{ info: Info; body: Bytes }> {
  if (wanted.start === wanted.end) return { info: await driver.stat(key, wanted), body: nothing() };
  return open(driver, key, wanted);
}

async function* nothing(): Bytes {}

/** The same bytes in one array, which is filled in place. TooLarge above what an array of this Node can hold. */
export async function readAll(driver: ObjectDriver, key: string, wanted: Wanted): Promise<Uint8Array> {
  if (wanted.start === wanted.end) return driver.stat(key, wanted).then(() => new Uint8Array(0));
  const opened = await open(driver, key, wanted);
  return collect(abortable(opened.body, wanted.signal), { size: await sizeOf(opened, wanted) });
}

/** Bytes of what was asked for in the object as it is. */
export async function sizeOf({ info, body }: Opened, { start, end }: Wanted): Promise<number> {
  const size = Math.max(0, clamped(end, info.size) - start);
  if (size <= constants.MAX_LENGTH) return size;
  await body.return();
  throw failure("TooLarge", `${size} bytes, an array holds ${constants.MAX_LENGTH}; read it as a stream`);
}
