import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { Crc64 } from "../checksums/crc64.js";

/** A checksum of a block's content. */
export interface Check {
  /** Bytes that it takes. */
  size: number;
  add(data: Uint8Array): void;
  digest(): Buffer;
}

/** The check of that id; undefined for one that the format has only reserved. */
export function checkOf(id: number): Check | undefined {
  if (id === 0) return { size: 0, add: () => {}, digest: () => Buffer.alloc(0) };
  if (id === 1) return crc32Check();
  if (id === 4) {
    const crc = new Crc64();
    return { size: 8, add: (data) => crc.add(data), digest: () => crc.digest() };
  }
  if (id !== 10) return undefined;
  const hash = createHash("sha256");
  return { size: 32, add: (data) => void hash.update(data), digest: () => hash.digest() };
}

function crc32Check(): Check {
  let crc = 0;
  return {
    size: 4,
    add(data) {
      crc = crc32(data, crc);
    },
    digest() {
      const sum = Buffer.alloc(4);
      sum.writeUInt32LE(crc, 0);
      return sum;
    },
  };
}
