import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { CodecName, DecodeOptions, EncodeOptions } from "../../src/codecs/codec.js";
import { codecOf } from "../../src/codecs/codec-of.js";
import { codecs } from "../../src/codecs/index.js";
import * as pureZstd from "../../src/codecs/zstd/fallback-decode.js";
import { collect } from "../../src/streams.js";

export interface Vector {
  codec: CodecName;
  file: string;
  how: string;
  size: number;
  sha256: string;
}

const FOLDER = fileURLToPath(new URL("../vectors/codecs/", import.meta.url));

export const vectors: Vector[] = JSON.parse(readFileSync(`${FOLDER}manifest.json`, "utf8")).files;

export function vectorBytes(file: string): Buffer {
  return readFileSync(FOLDER + file);
}

export function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** `data` cut into chunks whose sizes repeat `sizes`. The buffer of a chunk is overwritten once the next one is asked for. */
export async function* chunked(data: Uint8Array, ...sizes: number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, turn = 0; at < data.byteLength; turn++) {
    const chunk = new Uint8Array(data.subarray(at, at + (sizes[turn % sizes.length] ?? 65536)));
    at += chunk.byteLength;
    yield chunk;
    chunk.fill(0xaa);
  }
}

export function encode(name: CodecName, data: Uint8Array, options: EncodeOptions = {}, ...sizes: number[]) {
  return collect(codecs.get(name).encode(chunked(data, ...sizes), options));
}

/** Decodes; chunks are copied as they come, because `chunked` reuses the buffers that a stored member passes on. */
export async function decode(name: CodecName, data: Uint8Array, options: DecodeOptions = {}, ...sizes: number[]) {
  const parts: Uint8Array[] = [];
  for await (const chunk of codecs.get(name).decode(chunked(data, ...sizes), options))
    parts.push(new Uint8Array(chunk));
  return Buffer.concat(parts);
}

/** A repeatable stream of numbers in [0, 1). */
export function random(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Bytes that do not compress. */
export function noise(size: number, seed = 1): Buffer {
  const next = random(seed);
  return Buffer.from(Uint8Array.from({ length: size }, () => next() * 256));
}

/** JSON text of made-up records. */
export function records(size: number): Buffer {
  const next = random(7);
  const rows: string[] = [];
  for (let length = 0, id = 0; length < size; id++) {
    const row = {
      id,
      name: `Zoë ${Math.floor(next() * 1e5)}`,
      score: next(),
      tags: ["alpha", "beta"].slice(next() * 3),
    };
    rows.push(JSON.stringify(row));
    length += rows.at(-1)!.length + 1;
  }
  return Buffer.from(`[${rows.join(",")}]`).subarray(0, size);
}

/** The decoder for Node without zstd, whatever Node this is. */
export async function decodeZstdInTypeScript(data: Uint8Array, ...sizes: number[]): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of zstdInTypeScript.decode(chunked(data, ...sizes))) parts.push(chunk);
  return Buffer.concat(parts);
}

const zstdInTypeScript = codecOf({
  name: "zstd",
  encoder: async () => ({ encode: (bytes) => bytes }),
  decoder: async () => pureZstd,
});
