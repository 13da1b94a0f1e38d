/** The characters of a JSON document, in the encoding that Python's `json.loads` would find. */
import { failure } from "../../errors.js";
import type { Bytes } from "../../fs/driver.js";

/** Bytes that are decoded at a time. */
const PIECE = 64 * 1024;

interface Decoder {
  decode(data: Uint8Array, options: { stream: boolean }): string;
}

/** Text pieces without the byte order mark. UTF-8, UTF-16 and UTF-32, told by their mark or by where the NULs are. */
export async function* decodeText(bytes: Bytes): AsyncGenerator<string, void, undefined> {
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

/** As `json.detect_encoding` of Python. */
function decoderOf(data: Uint8Array): Decoder {
  const [a = 1, b = 1, c = 1, d = 1] = data;
  if (a === 0xff && b === 0xfe && c === 0 && d === 0) return new Utf32(true);
  if (a === 0 && b === 0 && c === 0xfe && d === 0xff) return new Utf32(false);
  if (a === 0xff && b === 0xfe) return utf("utf-16le");
  if (a === 0xfe && b === 0xff) return utf("utf-16be");
  if (a === 0) return b === 0 && data.byteLength >= 4 ? new Utf32(false) : utf("utf-16be");
  if (b === 0) return c === 0 && d === 0 ? new Utf32(true) : utf("utf-16le");
  return utf("utf-8");
}

function utf(label: string): Decoder {
  return new TextDecoder(label, { fatal: true });
}

/** UTF-32, which no TextDecoder knows. */
class Utf32 implements Decoder {
  #rest: Uint8Array = new Uint8Array(0);
  #begun = false;
  readonly #littleEndian: boolean;

  constructor(littleEndian: boolean) {
    this.#littleEndian = littleEndian;
  }

  decode(data: Uint8Array, { stream }: { stream: boolean }): string {
    const all = Buffer.concat([this.#rest, data]);
    const whole = all.byteLength - (all.byteLength % 4);
    this.#rest = all.subarray(whole);
    if (!stream && this.#rest.byteLength > 0) throw new RangeError("UTF-32 that ends inside a character");
    let text = "";
    for (let at = 0; at < whole; at += 4) text += this.#character(all, at);
    return text;
  }

  #character(data: Buffer, at: number): string {
    const point = this.#littleEndian ? data.readUInt32LE(at) : data.readUInt32BE(at);
    const first = !this.#begun;
    this.#begun = true;
    return first && point === 0xfeff ? "" : String.fromCodePoint(point);
  }
}
