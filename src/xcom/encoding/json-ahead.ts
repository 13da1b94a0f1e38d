/** Reads plain JSON with the built-in parser, many entries at a time. Small bundles do without it. */
import { isAscii } from "node:buffer";
import type { ByteStream } from "../../streams.js";
import { builtIn, type Encoding, setOwn } from "./encoding.js";
import type { Frame, ReadAhead } from "./json-parse.js";
import { type Decoder, decodeText } from "./json-read.js";
import { MAX_DEPTH } from "./json-walk.js";

/** Entries that are read one by one first: what has fewer is not worth a guess. */
const MANY = 8;

/** Characters: a shorter rest waits for more text, and so many are worth a try of the built-in parser. */
const SHORT = 16 * 1024;
const WORTH = 8 * 1024;

/** Characters that wrong guesses may read in vain, at first. Then a quarter of the text, and as many as right ones read. */
const CREDIT = 512 * 1024;

/**
 * Returns what passes entries to the built-in parser, up to a guess where one of them ends. If it reads them, the guess
 * is right: their brackets are balanced, and a comma follows.
 */
export function readAhead(encoding: Encoding): ReadAhead {
  let credit = CREDIT;
  let known = "";
  return (frames, text, at, next, last) => {
    if (text !== known) credit = Math.min(CREDIT, credit + text.length / 4);
    known = text;
    const frame = frames.at(-1);
    const bracket = Array.isArray(frame?.into) ? "]" : "}";
    if (!frame || frame.exact || !next.endsWith(bracket)) return undefined;
    frame.singles = (frame.singles ?? 0) + 1;
    if (frame.singles <= MANY || credit <= 0) return undefined;
    // What is left after many entries is the beginning of one.
    if (frame.seam && !last && text.length - at < SHORT) return false;
    const seam = frame.seam ?? seamBefore(text, at);
    const comma = seam.indexOf(",");
    credit -= (text.length - at) / 16;
    for (const to of guesses(text, at, seam, bracket)) {
      const found = text.lastIndexOf(seam, to);
      const end = found + comma;
      if (found >= 0 && end > at && add(text.slice(at, end), frame, MAX_DEPTH - frames.length + 1, encoding)) {
        frame.seam = seam;
        credit = Math.min(CREDIT, credit + end - at);
        return end;
      }
      credit -= to - at;
    }
    frame.seam = undefined;
    return undefined;
  };
}

/** The brackets and quotes around the comma before `at`, and the key there: `"]}, {"id"`. */
function seamBefore(text: string, at: number): string {
  const [before] = /[[\]{}"]*\s*,\s*$/.exec(text.slice(Math.max(0, at - 16), at)) ?? [","];
  const [after] = /^[[{]*(?:(?<=\{)"[^"\\]*"|"?)/.exec(text.slice(at, at + 64))!;
  return before + after;
}

/** Where the last of many entries may end: in most of the text, or before what looks like the end of their container. */
function guesses(text: string, at: number, seam: string, bracket: string): number[] {
  const end = text.indexOf(seam.slice(0, seam.indexOf(",")) + bracket, at);
  if (end < 0) return [text.length];
  return end - at > WORTH || !/[[\]{}]/.test(seam) ? [end] : [text.length, end];
}

/** Returns false for what the built-in parser must not read, or is not complete entries. */
function add(text: string, frame: Frame, levels: number, encoding: Encoding): boolean {
  const { into } = frame;
  if (Array.isArray(into)) {
    const items = builtIn(`[${text}]`, levels);
    if (!items) return false;
    // Joined at the end: one item after the other takes as long as to parse it.
    frame.parts ??= [];
    frame.parts.push(into, items as unknown[]);
    frame.into = [];
    frame.all = () => join([...frame.parts!, frame.into as unknown[]]);
    return true;
  }
  const entries = builtIn(`{${text}}`, levels) as Record<string, unknown> | undefined;
  const keys = Object.keys(entries ?? {});
  if (!entries || keys.some((key) => encoding.opensExact(into, key))) return false;
  for (const key of keys) setOwn(into, key, entries[key]);
  return true;
}

/** Arguments of a call have a limit. */
const MOST = 10_000;

function join(parts: unknown[][]): unknown[] {
  if (parts.length <= MOST) return ([] as unknown[]).concat(...parts);
  return join([join(parts.slice(0, MOST)), ...parts.slice(MOST)]);
}

/**
 * Bytes decoded, and characters parsed, at a time. V8 keeps values where they are that it parses from 100 KiB on, and has a
 * slower place for texts from 128 KiB on.
 */
const PIECE = 104 * 1024;

/** Yields the text of JSON in pieces of one size, whatever the chunks are. */
export function decodePieces(bytes: ByteStream): AsyncIterable<string> {
  return decodeText(inPieces(bytes), utf8());
}

async function* inPieces(bytes: ByteStream): ByteStream {
  let data = Buffer.alloc(0);
  for await (const chunk of bytes) {
    data = Buffer.concat([data, chunk]);
    for (; data.byteLength >= PIECE; data = data.subarray(PIECE)) yield data.subarray(0, PIECE);
  }
  yield data;
}

/** Returns a decoder that takes ASCII as it is: Node's streaming decoder makes two bytes of each character. */
function utf8(): Decoder {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  /** Whether the decoder has begun and holds no part of a character. */
  let whole = false;
  return {
    decode(data, options) {
      const text = whole && isAscii(data) ? data.toString("latin1") : decoder.decode(data, options);
      whole = (data.at(-1) ?? 0xff) < 0x80;
      return text;
    },
  };
}
