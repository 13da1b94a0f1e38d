/** Decodes a JSON document from the encoding that Python's `json.loads` would detect. */

import { Pace } from "../../codecs/stream.js";
import { failure } from "../../errors.js";
import type { ByteStream } from "../../streams.js";
import { builtIn, type Encoding, setOwn, WHOLE } from "./encoding.js";
import { JsonParser, type ReadAhead } from "./json-parse.js";
import { MAX_DEPTH } from "./json-walk.js";

/** Bytes decoded at a time. */
const PIECE = 104 * 1024;

export interface Decoder {
  decode(data: Buffer, options: { stream: boolean }): string;
}

/** Yields text without the byte order mark. Detects UTF-8, UTF-16 and UTF-32 by the mark or the positions of NULs. */
export async function* decodeText(bytes: ByteStream, utf8 = utf("utf-8")): AsyncGenerator<string, void, undefined> {
  let data = Buffer.alloc(0);
  let decoder: Decoder | undefined;
  for await (const chunk of bytes) {
    data = Buffer.concat([data, chunk]);
    if (!decoder && data.byteLength < 4) continue;
    decoder ??= decoderOf(data, utf8);
    for (; data.byteLength > 0; data = data.subarray(PIECE)) yield decoded(decoder, data.subarray(0, PIECE), true);
  }
  yield decoded(decoder ?? decoderOf(data, utf8), data, false);
}

function decoded(decoder: Decoder, data: Buffer, stream: boolean): string {
  try {
    return decoder.decode(data, { stream });
  } catch (cause) {
    throw failure("Corrupt", "the object is not JSON text: its bytes are no valid Unicode", { cause });
  }
}

/** Follows Python's `json.detect_encoding`. */
function decoderOf(data: Uint8Array, utf8: Decoder): Decoder {
  const [a = 1, b = 1, c = 1, d = 1] = data;
  if (a === 0xff && b === 0xfe && c === 0 && d === 0) return utf32(true);
  if (a === 0 && b === 0 && c === 0xfe && d === 0xff) return utf32(false);
  if (a === 0xff && b === 0xfe) return utf("utf-16le");
  if (a === 0xfe && b === 0xff) return utf("utf-16be");
  if (a === 0) return b === 0 && data.byteLength >= 4 ? utf32(false) : utf("utf-16be");
  if (b === 0) return c === 0 && d === 0 ? utf32(true) : utf("utf-16le");
  return utf8;
}

function utf(label: string): Decoder {
  return new TextDecoder(label, { fatal: true });
}

/** Returns a decoder of UTF-32, which TextDecoder does not support. */
function utf32(isLittleEndian: boolean): Decoder {
  let rest = Buffer.alloc(0);
  let begun = false;
  return {
    decode(data, { stream }) {
      rest = Buffer.concat([rest, data]);
      let text = "";
      // Throws a RangeError for an end inside a character.
      for (; rest.byteLength > (stream ? 3 : 0); rest = rest.subarray(4))
        text += String.fromCodePoint(isLittleEndian ? rest.readUInt32LE() : rest.readUInt32BE());
      if (!begun) text = text.replace(/^\ufeff/, "");
      begun = true;
      return text;
    },
  };
}

// Parses JSON text without blocking the event loop for long.

/** What reads plain JSON faster. */
export interface FastReading {
  /** Yields what {@link decodeText} does. */
  text(bytes: ByteStream): AsyncIterable<string>;
  readAhead(encoding: Encoding): ReadAhead;
}

/** Returns the value of a JSON document. Throws Corrupt for invalid JSON, TooLarge for excessive nesting. */
export async function readJson(
  bytes: ByteStream,
  encoding: Encoding,
  signal?: AbortSignal | undefined,
  fast?: FastReading | undefined,
): Promise<unknown> {
  const held: string[] = [];
  const pace = new Pace();
  let length = 0;
  let parser: JsonParser | undefined;
  for await (const text of fast?.text(bytes) ?? decodeText(bytes)) {
    length += text.length;
    if (length > WHOLE) parser ??= new JsonParser(encoding, fast?.readAhead(encoding));
    held.push(text);
    if (!parser) continue;
    for (const piece of held.splice(0)) {
      parser.push(piece);
      await pace.rest();
    }
    signal?.throwIfAborted();
  }
  return parser ? parser.end() : parseJson(held.join(""), encoding);
}

/** Returns the value of a JSON text. */
export function parseJson(text: string, encoding: Encoding): unknown {
  const value = encoding.mayRevive(text) ? undefined : builtIn(text, MAX_DEPTH);
  if (value !== undefined) return value;
  const parser = new JsonParser(encoding);
  parser.push(text);
  return parser.end();
}

/** Revives the objects in a value that is already JSON. Parts with nothing to revive are returned unchanged. */
export function reviveTree(value: unknown, encoding: Encoding, levels = MAX_DEPTH): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (levels === 0) throw failure("TooLarge", `the value is nested more than ${MAX_DEPTH} deep`);
  if (Array.isArray(value)) return revivedList(value, (item) => reviveTree(item, encoding, levels - 1));
  return encoding.revive(revivedDict(value, (item) => reviveTree(item, encoding, levels - 1)));
}

function revivedList(items: readonly unknown[], revive: (item: unknown) => unknown): readonly unknown[] {
  const revived = items.map(revive);
  return revived.some((item, i) => !Object.is(item, items[i])) ? revived : items;
}

function revivedDict(object: object, revive: (item: unknown) => unknown): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  let changed = false;
  for (const [key, item] of Object.entries(object)) {
    const revived = revive(item);
    changed ||= !Object.is(revived, item);
    setOwn(copy, key, revived);
  }
  return changed ? copy : (object as Record<string, unknown>);
}
