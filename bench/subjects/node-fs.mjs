// What node:fs does by itself: no temporary file, no rename, no fsync, so less than a store owes.
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";

export async function open({ folder }) {
  const at = (key) => join(folder, key);
  const made = new Set();
  return {
    codecs: ["gzip"],
    get: (key) => readFile(at(key)),
    async write(key, chunks, codec) {
      const path = at(key);
      if (!made.has(dirname(path))) await mkdir(dirname(path), { recursive: true });
      made.add(dirname(path));
      await pipeline([
        Readable.from(chunks, { objectMode: false }),
        ...(codec ? [createGzip()] : []),
        createWriteStream(path),
      ]);
    },
    async read(key, codec) {
      const plain = createReadStream(at(key));
      return codec ? plain.pipe(createGunzip()) : plain;
    },
  };
}
