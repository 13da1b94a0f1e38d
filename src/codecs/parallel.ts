import { availableParallelism } from "node:os";
import type { ByteStream } from "../streams.js";

/** Maximum blocks in progress. libuv's pool has four threads; one more block waits, so that none of them idles. */
const MOST = 5;

/** Returns how many blocks to compress concurrently on this machine. */
export function parallelism(): number {
  return Math.min(MOST, availableParallelism() + 1);
}

/** A piece of a stream in its own buffer. */
export interface Block {
  data: Uint8Array;
  /** Whether it is the last block. */
  last: boolean;
}

/** Cuts bytes into blocks of `size` bytes, regardless of chunks; yields at least one block, the last one shorter. */
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

/** Yields the results of `work` in the order of the items, with at most `most` in progress. */
export async function* inOrder<A, B>(
  items: AsyncIterable<A>,
  most: number,
  work: (item: A) => Promise<B>,
): AsyncGenerator<B> {
  const running: Promise<B>[] = [];
  try {
    for await (const item of items) {
      const task = work(item);
      // The failure surfaces when its turn comes.
      task.catch(() => {});
      running.push(task);
      if (running.length >= most) yield await running.shift()!;
    }
    while (running.length > 0) yield await running.shift()!;
  } finally {
    await Promise.allSettled(running);
  }
}
