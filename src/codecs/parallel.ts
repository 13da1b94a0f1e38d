import { availableParallelism } from "node:os";
import type { ByteStream } from "../streams.js";

/** Most blocks under way at once. libuv's pool has four threads; one more block waits, so that none of them idles. */
const MOST = 5;

/** How many blocks are compressed at once on this machine. */
export function width(): number {
  return Math.min(MOST, availableParallelism() + 1);
}

/** A piece of a stream, in a buffer of its own. */
export interface Block {
  data: Uint8Array;
  /** Whether it ends the stream. */
  last: boolean;
}

/** The bytes cut into blocks of `size` bytes, wherever the chunks begin; at least one block, the last one shorter. */
export async function* blocks(bytes: ByteStream, size: number): AsyncGenerator<Block> {
  let block = Buffer.allocUnsafeSlow(size);
  let filled = 0;
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.byteLength; ) {
      if (filled === size) {
        yield { data: block, last: false };
        block = Buffer.allocUnsafeSlow(size);
        filled = 0;
      }
      const step = Math.min(size - filled, chunk.byteLength - at);
      block.set(chunk.subarray(at, at + step), filled);
      filled += step;
      at += step;
    }
  }
  yield { data: block.subarray(0, filled), last: true };
}

/** The results of `work` in the order of the items, at most `most` of them under way. */
export async function* inOrder<A, B>(
  items: AsyncIterable<A>,
  most: number,
  work: (item: A) => Promise<B>,
): AsyncGenerator<B> {
  const running: Promise<B>[] = [];
  try {
    for await (const item of items) {
      const task = work(item);
      // Its failure is told when its turn comes.
      task.catch(() => {});
      running.push(task);
      if (running.length >= most) yield await running.shift()!;
    }
    while (running.length > 0) yield await running.shift()!;
  } finally {
    await Promise.allSettled(running);
  }
}
