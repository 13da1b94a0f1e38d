/** Decodes a JSON document from the encoding that Python's `json.loads` would detect. */

import { Pace } from "../../codecs/stream.js";
import { failure } from "../../errors.js";
import type { ByteStream } from "../../streams.js";
import { builtIn, type Encoding, isSimple, setOwn } from "./encoding.js";
import { JsonParser } from "./json-parse.js";
import { MAX_DEPTH } from "./json-walk.js";

/** Bytes decoded at a time. */
const PIECE = 64 * 1024;

interface Decoder {
  decode(data: Uint8Array, options: { stream: boolean }): string;
}

/** Yields text without the byte order mark. Detects UTF-8, UTF-16 and UTF-32 by the mark or the positions of NULs. */
export async function* decodeText(bytes: ByteStream): AsyncGenerator<string, void, undefined> {
  let head: Uint8Array = new Uint8Array(0);
  let decoder: Decoder | undefined;
  for await (const chunk of bytes) {
    const data = decoder ? chunk : Buffer.concat([head, chunk]);
    if (!decoder && data.byteLength < 4) head = data;
    else {
      decoder ??= decoderOf(data);
      yield* pieces(decoder, data);
    }
  }
  if (!decoder) yield* pieces(decoderOf(head), head);
  decoder ??= decoderOf(head);
  yield decoded(decoder, new Uint8Array(0), false);
}

function* pieces(decoder: Decoder, data: Uint8Array): Generator<string, void, undefined> {
  for (let at = 0; at < data.byteLength; at += PIECE) yield decoded(decoder, data.subarray(at, at + PIECE), true);
}

function decoded(decoder: Decoder, data: Uint8Array, stream: boolean): string {
  try {
    return decoder.decode(data, { stream });
  } catch (cause) {
    throw failure("Corrupt", "the object is not JSON text: its bytes are no valid Unicode", { cause });
  }
}

/** Follows Python's `json.detect_encoding`. */
function decoderOf(data: Uint8Array): Decoder {
  const [a = 1, b = 1, c = 1, d = 1] = data;
  if (a === 0xff && b === 0xfe && c === 0 && d === 0) return utf32(true);
  if (a === 0 && b === 0 && c === 0xfe && d === 0xff) return utf32(false);
  if (a === 0xff && b === 0xfe) return utf("utf-16le");
  if (a === 0xfe && b === 0xff) return utf("utf-16be");
  if (a === 0) return b === 0 && data.byteLength >= 4 ? utf32(false) : utf("utf-16be");
  if (b === 0) return c === 0 && d === 0 ? utf32(true) : utf("utf-16le");
  return utf("utf-8");
}

function utf(label: string): Decoder {
  return new TextDecoder(label, { fatal: true });
}

/** Returns a decoder of UTF-32, which TextDecoder does not support. */
function utf32(isLittleEndian: boolean): Decoder {
  let rest: Uint8Array = new Uint8Array(0);
  let begun = false;
  return {
    decode(data, { stream }) {
      const all = Buffer.concat([rest, data]);
      const whole = all.byteLength & ~3;
      rest = all.subarray(whole);
      if (!stream && rest.byteLength > 0) throw new RangeError("UTF-32 that ends inside a character");
      let text = "";
      for (let at = 0; at < whole; at += 4) {
        text += String.fromCodePoint(isLittleEndian ? all.readUInt32LE(at) : all.readUInt32BE(at));
      }
      if (!begun && text.startsWith("\ufeff")) text = text.slice(1);
      begun ||= text !== "" || whole > 0;
      return text;
    },
  };
}

// Parses JSON text without blocking the event loop for long.

/** Maximum characters of a document parsed in one go: some milliseconds. */
const WHOLE = 512 * 1024;

/** Returns the value of a JSON document. Throws Corrupt for invalid JSON, TooLarge for excessive nesting. */
export async function readJson(
  bytes: ByteStream,
  encoding: Encoding,
  signal?: AbortSignal | undefined,
): Promise<unknown> {
  const held: string[] = [];
  const pace = new Pace();
  let length = 0;
  let parser: JsonParser | undefined;
  for await (const text of decodeText(bytes)) {
    length += text.length;
    if (length > WHOLE) parser ??= new JsonParser(encoding);
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
  if (isSimple(text, encoding)) {
    const value = builtIn(text);
    if (value !== undefined && !isDeep(value, MAX_DEPTH)) return value;
  }
  const parser = new JsonParser(encoding);
  parser.push(text);
  return parser.end();
}

function isDeep(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((inner) => isDeep(inner, levels - 1));
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
