/** Temporal's `Payload` as protobuf bytes, which the drivers of all its SDKs store. */
import { failure } from "../errors.js";

/** `temporal.api.common.v1.Payload`, as `@temporalio/proto` has it. */
export interface Payload {
  metadata?: { [name: string]: Uint8Array } | null;
  data?: Uint8Array | null;
  // biome-ignore lint/suspicious/noExplicitAny: a Long of whichever copy of the package `long` the SDK has
  externalPayloads?: { sizeBytes?: any }[] | null;
}

// Wire types of https://protobuf.dev/programming-guides/encoding
const VARINT = 0;
const BYTES = 2;

// Fields of https://github.com/temporalio/api/blob/master/temporal/api/common/v1/message.proto
const METADATA = 1;
const DATA = 2;
const EXTERNAL_PAYLOADS = 3;

/** Encodes with sorted metadata, so that equal payloads have equal bytes. */
export function encodePayload({ metadata, data, externalPayloads }: Payload): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const name of Object.keys(metadata ?? {}).sort()) {
    const entry = [...field(1, Buffer.from(name, "utf8")), ...field(2, metadata![name]!)];
    parts.push(...field(METADATA, Buffer.concat(entry)));
  }
  if (data && data.byteLength > 0) parts.push(...field(DATA, data));
  for (const { sizeBytes } of externalPayloads ?? []) {
    const size = BigInt(String(sizeBytes ?? 0));
    parts.push(
      ...field(EXTERNAL_PAYLOADS, size === 0n ? new Uint8Array(0) : Buffer.from([tag(1, VARINT), ...varint(size)])),
    );
  }
  return Buffer.concat(parts);
}

function field(number: number, bytes: Uint8Array): Uint8Array[] {
  return [Buffer.from([tag(number, BYTES), ...varint(BigInt(bytes.byteLength))]), bytes];
}

function tag(number: number, type: number): number {
  return (number << 3) | type;
}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return bytes;
}

/** Decodes a payload. Throws Corrupt if the bytes are none; passes over fields of later versions. */
export function decodePayload(bytes: Uint8Array): Payload {
  const metadata: { [name: string]: Uint8Array } = {};
  const externalPayloads: { sizeBytes: number }[] = [];
  let data: Uint8Array = new Uint8Array(0);
  for (const [number, value] of fieldsOf(bytes)) {
    if (!(value instanceof Uint8Array)) continue;
    if (number === METADATA) {
      const { 1: name, 2: content = new Uint8Array(0) } = Object.fromEntries(fieldsOf(value));
      // A plain property would be the prototype for the name `__proto__`.
      const property = { value: content, enumerable: true, writable: true, configurable: true };
      Object.defineProperty(metadata, text(name), property);
    } else if (number === DATA) data = value;
    else if (number === EXTERNAL_PAYLOADS) {
      const { 1: size = 0n } = Object.fromEntries(fieldsOf(value));
      externalPayloads.push({ sizeBytes: Number(size) });
    }
  }
  return { metadata, data, ...(externalPayloads.length > 0 && { externalPayloads }) };
}

function text(bytes: Uint8Array | bigint | undefined): string {
  if (bytes === undefined) return "";
  if (!(bytes instanceof Uint8Array)) throw noPayload();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

function* fieldsOf(bytes: Uint8Array): Generator<[number: number, value: Uint8Array | bigint]> {
  let at = 0;
  const next = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw noPayload();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw noPayload();
  };
  const take = (length: number): Uint8Array => {
    if (length > bytes.byteLength - at) throw noPayload();
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.byteLength) {
    const key = Number(next());
    const type = key & 7;
    if (type === VARINT) yield [key >> 3, next()];
    else if (type === BYTES) yield [key >> 3, take(Number(next()))];
    else if (type === 1 || type === 5) take(type === 1 ? 8 : 4);
    else throw noPayload();
  }
}

function noPayload(): Error {
  return failure("Corrupt", "the object is no payload of Temporal");
}
