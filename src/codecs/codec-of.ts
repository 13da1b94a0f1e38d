import { failure, invalid } from "../errors.js";
import type { ByteStream } from "../streams.js";
import { abortable } from "../streams.js";
import { type Codec, type CodecName, type DecodeOptions, type EncodeOptions, SUFFIXES } from "./codec.js";
import { CompressedSource, Pace } from "./stream.js";

/** The raw transformation of one format. All formats share limits, cancelling and clean-up. */
export interface Format {
  readonly name: CodecName;
  /** The range of `level`, inclusive; omitted if the format has none. */
  readonly levels?: { readonly min: number; readonly max: number; readonly default: number };
  /** Loads the encoder. */
  encoder(): Promise<{ encode(bytes: ByteStream, level: number): ByteStream }>;
  /** Loads the decoder, which reads `source` to its end. */
  decoder(): Promise<{ decode(source: CompressedSource): ByteStream }>;
}

/** Returns the codec of a format. */
export function codecOf(format: Format): Codec {
  return {
    name: format.name,
    suffixes: SUFFIXES[format.name],
    encode(bytes: ByteStream, options: EncodeOptions = {}): ByteStream {
      return encodeStream(format, bytes, levelOf(format, options.level), options.signal);
    },
    decode(bytes: ByteStream, options: DecodeOptions = {}): ByteStream {
      checkLimit("maxDecodedBytes", options.maxDecodedBytes);
      checkLimit("maxRatio", options.maxRatio);
      return decodeStream(format, bytes, options);
    },
  };
}

function levelOf({ name, levels }: Format, level: number | undefined): number {
  if (level === undefined) return levels?.default ?? 0;
  if (!levels) throw invalid(`${name} has no level`);
  if (!Number.isInteger(level) || level < levels.min || level > levels.max) {
    throw invalid(`level ${level}: ${name} takes ${levels.min} to ${levels.max}`);
  }
  return level;
}

function checkLimit(name: string, limit: number | undefined): void {
  if (limit === undefined || limit >= 0) return;
  throw invalid(`${name} ${limit}: it must be a number and not negative`);
}

async function* encodeStream(
  format: Format,
  bytes: ByteStream,
  level: number,
  signal: AbortSignal | undefined,
): ByteStream {
  const source = new CompressedSource(format.name, abortable(bytes, signal));
  const pace = new Pace();
  try {
    // The first pull precedes the first byte: a generator that never started cannot be closed.
    await source.has(1);
    const { encode } = await format.encoder();
    for await (const chunk of encode(rest(source), level)) {
      signal?.throwIfAborted();
      yield chunk;
      await pace.rest();
    }
  } finally {
    await source.close();
  }
}

async function* rest(source: CompressedSource): ByteStream {
  for (let chunk = await source.peek(); chunk; chunk = await source.peek()) {
    source.skip(chunk.byteLength);
    yield chunk;
  }
}

async function* decodeStream(format: Format, bytes: ByteStream, options: DecodeOptions): ByteStream {
  const source = new CompressedSource(format.name, abortable(bytes, options.signal));
  const pace = new Pace();
  let length = 0;
  try {
    const { decode } = await format.decoder();
    for await (const chunk of decode(source)) {
      options.signal?.throwIfAborted();
      length += chunk.byteLength;
      checkLength(format.name, length, source.pulled, options);
      if (chunk.byteLength > 0) {
        source.idle = 0;
        yield chunk;
      }
      await pace.rest();
    }
  } finally {
    await source.close();
  }
}

function checkLength(name: CodecName, length: number, compressed: number, options: DecodeOptions): void {
  const { maxDecodedBytes = Number.POSITIVE_INFINITY, maxRatio = Number.POSITIVE_INFINITY } = options;
  if (length > maxDecodedBytes) throw failure("TooLarge", `${name}: more than ${maxDecodedBytes} decoded bytes`);
  if (length > maxRatio * compressed) {
    throw failure("TooLarge", `${name}: more than ${maxRatio} decoded bytes per compressed byte`);
  }
}
