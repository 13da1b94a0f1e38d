// A Map of buffers, with node:zlib: the least that any store in memory does.

import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { createGunzip, createGzip } from "node:zlib";

export async function open() {
  const objects = new Map();
  return {
    codecs: ["gzip"],
    put: async (key, data) => void objects.set(key, Buffer.from(data)),
    get: async (key) => Buffer.from(objects.get(key)),
    async write(key, chunks, codec) {
      const plain = Readable.from(chunks, { objectMode: false });
      objects.set(key, await buffer(codec ? plain.pipe(createGzip()) : plain));
    },
    async read(key, codec) {
      const plain = Readable.from([objects.get(key)], { objectMode: false });
      return codec ? plain.pipe(createGunzip()) : plain;
    },
  };
}
