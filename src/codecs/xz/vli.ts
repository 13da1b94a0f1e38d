import { crc32 } from "node:zlib";
import type { Source } from "../source.js";

/** Most bytes of a number. */
const MOST = 9;

/** Reads numbers of variable length, seven bits a byte, the lowest first. Keeps the CRC-32 of what it read. */
export class Vli {
  crc: number;
  readonly #source: Source;

  constructor(source: Source, crc: number) {
    this.#source = source;
    this.crc = crc;
  }

  async byte(): Promise<number> {
    const data = await this.#source.take(1);
    this.crc = crc32(data, this.crc);
    return data[0]!;
  }

  async next(): Promise<number> {
    let value = 0;
    for (let place = 0; place < MOST; place++) {
      const byte = await this.byte();
      value += (byte & 127) * 2 ** (7 * place);
      if (byte < 128) return value;
    }
    throw this.#source.corrupt("a damaged number");
  }
}

/** The number at `at` of `bytes`, and where it ends; undefined when it does not end in time. */
export function vliAt(bytes: Uint8Array, at: number): { value: number; at: number } | undefined {
  let value = 0;
  for (let place = 0; place < MOST && at + place < bytes.byteLength; place++) {
    const byte = bytes[at + place]!;
    value += (byte & 127) * 2 ** (7 * place);
    if (byte < 128) return { value, at: at + place + 1 };
  }
  return undefined;
}
