import type { Bytes } from "../../fs/driver.js";
import { blocks } from "../parallel.js";
import { compress } from "./block.js";
import { BLOCK, COMPRESSED, IDENTIFIER, MAGIC, masked, UNCOMPRESSED } from "./frame.js";

/** A stream identifier and chunks of 64 KiB; nothing at all for empty content, as Python writes it. */
export async function* encode(bytes: Bytes): Bytes {
  const table = new Uint16Array(1 << 14);
  let first = true;
  for await (const { data } of blocks(bytes, BLOCK)) {
    if (data.byteLength === 0) return;
    if (first) yield Buffer.concat([head(IDENTIFIER, MAGIC.byteLength), MAGIC]);
    first = false;
    yield chunk(data, table);
  }
}

function head(type: number, size: number): Uint8Array {
  return Uint8Array.of(type, size, size >>> 8, size >>> 16);
}

function chunk(data: Uint8Array, table: Uint16Array): Uint8Array {
  const packed = compress(data, table);
  // The format's own advice: a saving below an eighth is not worth the decoding.
  const small = packed.byteLength < data.byteLength - (data.byteLength >>> 3);
  const body = small ? packed : data;
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(masked(data), 0);
  return Buffer.concat([head(small ? COMPRESSED : UNCOMPRESSED, body.byteLength + 4), sum, body]);
}
