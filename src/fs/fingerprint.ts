/** The MD5 of bytes on their way. */
import { createHash, getFips } from "node:crypto";
import type { Bytes } from "./driver.js";

export class Fingerprint {
  /** Node has no MD5 in FIPS mode. */
  readonly #hash = getFips() === 1 ? undefined : createHash("md5");
  #md5: string | undefined;

  /** The same bytes, of which a note is taken. */
  async *of(bytes: Bytes): Bytes {
    for await (const chunk of bytes) {
      this.#hash?.update(chunk);
      yield chunk;
    }
    this.#md5 = this.#hash?.digest("hex");
  }

  /** Whether the bytes, when they are over, are others than those of `md5`; false where either is not known. */
  differs(md5: string | undefined): boolean {
    return md5 !== undefined && this.#md5 !== undefined && md5 !== this.#md5;
  }
}
