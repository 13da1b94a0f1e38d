import type { Bytes } from "../../fs/driver.js";
import { Xxh64 } from "../checksums/xxh64.js";
import { History } from "../history.js";
import type { Source } from "../source.js";
import { MARGIN } from "./bits.js";
import { BLOCK, type BlockHeader, blockHeader, COMPRESSED, type FrameHeader, nextFrame, RLE } from "./frame.js";
import { Literals } from "./literals.js";
import { Sequences } from "./sequences.js";

/** Frames one after the other, skippable ones dropped; at least one frame. For Node without zstd. */
export async function* decode(source: Source): Bytes {
  let header = await nextFrame(source);
  if (!header) throw source.truncated();
  for (; header; header = await nextFrame(source)) {
    source.skip(header.length);
    yield* frame(source, header);
  }
}

async function* frame(source: Source, header: FrameHeader): Bytes {
  const decoder = new BlockDecoder(source, header);
  const hash = header.checksum ? new Xxh64() : undefined;
  let length = 0;
  for (let last = false; !last; ) {
    const block = blockHeader(source, await source.take(3), 0);
    const data = decoder.decode(block, await source.take(block.stored));
    hash?.add(data);
    length += data.byteLength;
    last = block.last;
    yield data;
  }
  if (header.contentSize !== undefined && header.contentSize !== length) {
    throw source.corrupt("the length does not match");
  }
  if (hash && Buffer.from(await source.take(4)).readUInt32LE(0) !== hash.low()) {
    throw source.corrupt("the checksum does not match", source.offset - 4);
  }
}

/** The blocks of one frame. */
class BlockDecoder {
  readonly #source: Source;
  readonly #most: number;
  readonly #history: History;
  readonly #literals = new Literals();
  readonly #sequences = new Sequences();
  readonly #scratch = new Uint8Array(BLOCK + 2 * MARGIN);

  constructor(source: Source, header: FrameHeader) {
    this.#source = source;
    this.#most = Math.min(BLOCK, Math.max(header.window, 1));
    this.#history = new History(header.window, BLOCK);
  }

  decode(block: BlockHeader, stored: Uint8Array): Uint8Array {
    const history = this.#history;
    history.reserve(BLOCK);
    const from = history.at;
    if (block.size > this.#most) throw this.#damaged(stored);
    if (block.type === COMPRESSED) this.#compressed(stored, from + this.#most);
    else {
      if (block.type === RLE) history.bytes.fill(stored[0]!, from, from + block.size);
      else history.bytes.set(stored, from);
      history.at += block.size;
    }
    return history.since(from);
  }

  #compressed(stored: Uint8Array, limit: number): void {
    const bytes = this.#scratch;
    // What is read beyond a stream must not be what an earlier block left there.
    bytes.fill(0, MARGIN + stored.byteLength, 2 * MARGIN + stored.byteLength);
    bytes.set(stored, MARGIN);
    const end = MARGIN + stored.byteLength;
    const next = this.#literals.read(bytes, MARGIN, end);
    const sound = next >= 0 && this.#sequences.run(bytes, next, end, this.#literals, this.#history, limit);
    if (!sound) throw this.#damaged(stored);
  }

  #damaged(stored: Uint8Array): Error {
    return this.#source.corrupt("a damaged block", this.#source.offset - stored.byteLength);
  }
}
