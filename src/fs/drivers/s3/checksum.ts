/** CRC32 as S3 writes it: big endian, base64. */
import type { IncomingHttpHeaders } from "node:http";
import { crc32 } from "node:zlib";
import { failure } from "../../../errors.js";
import type { Bytes } from "../../driver.js";

export const CHECKSUM = "x-amz-checksum-crc32";

export function checksumOf(data: Uint8Array): string {
  return encoded(crc32(data));
}

function encoded(value: number): string {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes.toString("base64");
}

/**
 * The checksum of all bytes of an object. One of checksums of parts says nothing about the bytes: what it is of is told
 * by the answer alone, since a server need not do what the upload has asked for.
 */
export function promisedChecksum(headers: IncomingHttpHeaders): string | undefined {
  const value = headers[CHECKSUM];
  const type = headers["x-amz-checksum-type"];
  const whole = type === undefined ? !/-\d+"?$/.test(headers.etag ?? "") : type === "FULL_OBJECT";
  return whole && typeof value === "string" && value.length === 8 ? value : undefined;
}

/** The same bytes; Corrupt at the end when they are not those that were stored. */
export function verified(body: Bytes, expected: string): Bytes {
  return {
    [Symbol.asyncIterator]: () => new Verified(body[Symbol.asyncIterator](), expected),
  };
}

class Verified implements AsyncIterator<Uint8Array> {
  #sum = 0;

  constructor(
    readonly from: AsyncIterator<Uint8Array>,
    readonly expected: string,
  ) {}

  next(): Promise<IteratorResult<Uint8Array>> {
    return this.from.next().then(this.#seen);
  }

  readonly #seen = (step: IteratorResult<Uint8Array>): IteratorResult<Uint8Array> => {
    if (!step.done) this.#sum = crc32(step.value, this.#sum);
    else if (encoded(this.#sum) !== this.expected)
      throw failure("Corrupt", "the bytes do not have the stored checksum");
    return step;
  };

  async return(): Promise<IteratorResult<Uint8Array>> {
    await this.from.return?.();
    return { done: true, value: undefined };
  }
}
