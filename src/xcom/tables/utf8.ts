/** Decodes a file's UTF-8 text, and encodes text to bytes. */

import { failure } from "../../errors.js";
import type { ByteStream } from "../../streams.js";
import { abortable } from "../../streams.js";
import { CHUNK } from "./schema.js";

/** Yields text without the byte order mark; throws Corrupt for invalid UTF-8. `format` is for messages. */
export async function* textOf(
  body: ByteStream,
  format: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let at = 0;
  for await (const chunk of abortable(body, signal)) {
    for (let from = 0; from < chunk.byteLength; from += CHUNK) {
      const piece = chunk.subarray(from, from + CHUNK);
      yield decoded(() => decoder.decode(piece, { stream: true }), format, at + from);
    }
    at += chunk.byteLength;
  }
  yield decoded(() => decoder.decode(), format, at);
}

function decoded(decode: () => string, format: string, at: number): string {
  try {
    return decode();
  } catch (cause) {
    throw failure("Corrupt", `${format}: the bytes from ${at} on are not UTF-8`, { cause });
  }
}

/** Collects text; `full` returns a chunk once there is enough for one. */
export class TextChunks {
  #text = "";

  add(text: string): void {
    this.#text += text;
  }

  get full(): boolean {
    return this.#text.length >= CHUNK;
  }

  take(): Uint8Array {
    const bytes = Buffer.from(this.#text, "utf8");
    this.#text = "";
    return bytes;
  }
}
