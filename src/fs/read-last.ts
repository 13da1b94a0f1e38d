/** Reads of the last bytes of an object, whose size the caller need not know. */
import { failure, invalid, isStorageError, type OptionNames } from "../errors.js";
import type { ByteStream } from "../streams.js";
import type { ObjectDriver, ObjectInfo, SuffixReader } from "./driver/driver.js";
import { checkCount, checkRead, READ, type ReadOptions } from "./options.js";
import { type LimitedReadRequest, readParallel } from "./parallel-read.js";
import { ResumableBody, ResumableRead, readStream } from "./resumable-read.js";

export const READ_WITH_LAST: OptionNames<ReadOptions> = { ...READ, last: true, customerKey: true };

/** Checks the options of a read and returns the request for the driver; `last` stays apart, since its start is unknown. */
export function checkReadWithLast(options: ReadOptions) {
  const { last, compression, start, end } = options;
  if (last === undefined) return checkRead(options);
  checkCount("last", last, 0);
  if (start !== undefined || end !== undefined)
    throw invalid("last counts from the end of the object; leave out start and end");
  // Refuses compressed data, as with every range.
  checkRead({ compression, start: 0 });
  return checkRead(options);
}

/**
 * Reads the last `last` bytes: in one request if the driver has suffix ranges, else after a look at the size. All of it
 * is of one version: throws `ObjectChanged` if the object is replaced between the two requests.
 */
export async function readLast(
  driver: ObjectDriver & SuffixReader,
  key: string,
  last: number,
  wanted: LimitedReadRequest,
): Promise<{ info: ObjectInfo; body: ByteStream }> {
  const { version, ifMatch, signal, parallel = 1 } = wanted;
  if (last === 0) return readStream(driver, key, { ...wanted, start: 0, end: 0 });
  if (driver.readLast && parallel === 1) {
    const { info, body } = await driver.readLast(key, last, { version, ifMatch, signal });
    const pinned = new ResumableRead(driver, key, info, version, signal);
    return { info, body: new ResumableBody(pinned, startOf(info, last), info.size, body) };
  }
  const info = await driver.stat(key, { version, signal });
  const range = { start: startOf(info, last), end: info.size };
  return readParallel(driver, key, { ...wanted, ...range, ifMatch: ifMatch ?? info.etag }).catch((error: unknown) => {
    if (ifMatch === undefined && codeOf(driver, error) === "PreconditionFailed")
      throw failure("ObjectChanged", "the object was replaced after its size was read", { cause: error });
    throw error;
  });
}

function startOf({ size }: ObjectInfo, last: number): number {
  return Math.max(0, size - last);
}

function codeOf(driver: ObjectDriver, error: unknown) {
  return isStorageError(error) ? error.code : driver.codeOf(error, { op: "read", ifAbsent: false, ifMatch: true });
}
