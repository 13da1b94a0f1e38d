import { History } from "../history.js";
import type { Source } from "../source.js";
import { LzmaDecoder, properties } from "./lzma.js";
import { RANGE_START } from "./range.js";

/** Content that is decoded at a stretch. */
const PIECE = 64 * 1024;

const END = 0;
const STORED_RESET = 1;
const STORED = 2;
const LZMA = 0x80;
const RESET_STATE = 1;
const NEW_PROPERTIES = 2;
const RESET_DICTIONARY = 3;

/** Decodes one LZMA2 sequence of chunks, to its end mark. */
export async function* decodeLzma2(source: Source, dictionary: number): AsyncGenerator<Uint8Array> {
  const chunks = new Chunks(source, dictionary);
  for (;;) {
    const control = (await source.take(1))[0]!;
    if (control === END) return;
    if (control >= LZMA) yield* chunks.compressed(control);
    else if (control <= STORED) yield* chunks.stored(control);
    else throw source.corrupt("a damaged LZMA2 chunk", source.offset - 1);
  }
}

class Chunks {
  readonly #source: Source;
  readonly #history: History;
  readonly #lzma: LzmaDecoder;
  #needsDictionary = true;
  #needsProperties = true;

  constructor(source: Source, dictionary: number) {
    this.#source = source;
    this.#history = new History(dictionary, PIECE);
    this.#lzma = new LzmaDecoder(this.#history);
  }

  async *stored(control: number): AsyncGenerator<Uint8Array> {
    const source = this.#source;
    if (control === STORED_RESET) this.#resetDictionary();
    if (this.#needsDictionary) throw source.corrupt("an LZMA2 chunk without a dictionary");
    const head = await source.take(2);
    const data = await source.take(((head[0]! << 8) | head[1]!) + 1);
    const history = this.#history;
    history.reserve(data.byteLength);
    const from = history.at;
    history.bytes.set(data, from);
    history.at += data.byteLength;
    this.#lzma.passed(data.byteLength);
    yield history.since(from);
  }

  async *compressed(control: number): AsyncGenerator<Uint8Array> {
    const source = this.#source;
    const start = source.offset - 1;
    const head = await source.take(4);
    const size = ((control & 31) << 16) + (head[0]! << 8) + head[1]! + 1;
    const stored = ((head[2]! << 8) | head[3]!) + 1;
    await this.#reset((control >> 5) & 3, start);
    const data = await source.take(stored);
    if (stored < RANGE_START || !this.#lzma.range.start(data, 0)) throw source.corrupt("a damaged LZMA2 chunk", start);
    for (let left = size; left > 0; ) {
      const step = Math.min(left, PIECE);
      yield this.#piece(step, start);
      left -= step;
    }
    const { range, isInMatch } = this.#lzma;
    const whole = range.at === stored && range.isFinished && !isInMatch;
    if (!whole) throw source.corrupt("a damaged LZMA2 chunk", start);
  }

  #piece(size: number, start: number): Uint8Array {
    const history = this.#history;
    history.reserve(size);
    const from = history.at;
    const { range } = this.#lzma;
    const sound = this.#lzma.run(from + size, range.input.byteLength);
    if (!sound || history.at !== from + size) throw this.#source.corrupt("a damaged LZMA2 chunk", start);
    return history.since(from);
  }

  async #reset(what: number, start: number): Promise<void> {
    if (what === RESET_DICTIONARY) this.#resetDictionary();
    if (this.#needsDictionary || (this.#needsProperties && what < NEW_PROPERTIES)) {
      throw this.#source.corrupt("an LZMA2 chunk without a dictionary or properties", start);
    }
    if (what >= NEW_PROPERTIES) {
      const found = properties((await this.#source.take(1))[0]!);
      if (!found || found.lc + found.lp > 4) throw this.#source.corrupt("impossible LZMA properties", start);
      this.#lzma.setProperties(found);
      this.#needsProperties = false;
    } else if (what === RESET_STATE) {
      this.#lzma.resetState();
    }
  }

  #resetDictionary(): void {
    this.#lzma.resetDictionary();
    this.#needsDictionary = false;
  }
}
