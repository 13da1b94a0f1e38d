import type { ByteStream } from "../../streams.js";
import { orAbort } from "../../streams.js";
import { BodyCut } from "../http/client.js";

/** Milliseconds without a byte after which a body counts as stalled; the official clients wait for ever. */
const IDLE = 10_000;

export interface ClientBodyOptions {
  /** Bytes that were promised. */
  expected: number;
  signal: AbortSignal | undefined;
  /** The failure behind an error of the stream, where it is not that the line broke. */
  failureOf?(error: unknown): Error | undefined;
}

/**
 * The stream of an official client with the failures that a resumed read knows. Its own errors are left out: they hold
 * the request, and what signed it. Destroys the stream when it is left, also before the first byte.
 */
export function clientBody(stream: ByteStream & { destroy(): unknown }, options: ClientBodyOptions): ByteStream {
  return {
    [Symbol.asyncIterator]() {
      const chunks = watched(stream, options)[Symbol.asyncIterator]();
      return {
        next: () => chunks.next(),
        async return() {
          stream.destroy();
          await chunks.return?.();
          return { done: true as const, value: undefined };
        },
      };
    },
  };
}

async function* watched(
  stream: ByteStream & { destroy(): unknown },
  { expected, signal, failureOf }: ClientBodyOptions,
): ByteStream {
  const chunks = stream[Symbol.asyncIterator]();
  let received = 0;
  try {
    for (;;) {
      const { done, value } = await orAbort(patiently(chunks.next(), received, expected), signal);
      if (done) break;
      received += value.byteLength;
      if (received > expected) throw new BodyCut("long", received, expected);
      yield value;
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof BodyCut ? error : (failureOf?.(error) ?? new BodyCut("reset", received, expected));
  } finally {
    stream.destroy();
  }
  if (received < expected) throw new BodyCut("short", received, expected);
}

async function patiently<T>(next: Promise<T>, received: number, expected: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new BodyCut("stalled", received, expected)), IDLE);
  });
  try {
    return await Promise.race([next, stalled]);
  } finally {
    clearTimeout(timer);
  }
}
