/** The checksum that a caller states for a write. */
import { createHash } from "node:crypto";
import { checkOptions, failure, invalid, type OptionNames } from "../errors.js";
import { type Body, type ByteStream, checkUnread, toByteStream, whole } from "../streams.js";
import type { ChecksumCheck, ChecksumName, Driver, WriteChecksum } from "./driver/driver.js";
import type { Checksum, WriteOptions } from "./options.js";

const BYTES: Readonly<Record<ChecksumName, number>> = { md5: 16, crc32c: 4, sha256: 32 };
const NAMES: OptionNames<Checksum> = { md5: true, crc32c: true, sha256: true };

/** Returns the checksum of a write. Throws InvalidArgument for anything but one checksum of the right length. */
async function checkChecksum({ checksum = {}, compression }: WriteOptions): Promise<WriteChecksum> {
  checkOptions("checksum", checksum, NAMES);
  const [name, ...others] = (Object.keys(NAMES) as ChecksumName[]).filter((one) => checksum[one] !== undefined);
  if (name === undefined || others.length > 0) throw invalid("checksum needs exactly one of md5, crc32c and sha256");
  if (compression != null)
    throw failure(
      "Unsupported",
      "checksum is of the bytes as stored, which compression changes; leave one of them out",
    );
  const value = bytesOf(name, checksum[name]!);
  const update = await updateOf(name);
  return { name, value, begin: () => new Check(name, value, update()) };
}

function bytesOf(name: ChecksumName, given: Uint8Array | string): Buffer {
  const length = BYTES[name];
  const bytes = given instanceof Uint8Array ? Buffer.from(given) : bytesOfText(given, length);
  if (bytes?.byteLength === length) return bytes;
  throw invalid(`checksum.${name} must be ${length} bytes, as they are, in hex, or in base64`);
}

function bytesOfText(text: unknown, length: number): Buffer | undefined {
  if (typeof text !== "string") return undefined;
  if (/^[0-9a-f]+$/i.test(text) && text.length === 2 * length) return Buffer.from(text, "hex");
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}

interface Sum {
  add(data: Uint8Array): void;
  digest(): Buffer;
}

async function updateOf(name: ChecksumName): Promise<() => Sum> {
  if (name !== "crc32c") return () => hashOf(name);
  const { crc32c } = await import("../codecs/checksums/crc32c.js");
  return () => {
    let sum = 0;
    const digest = () => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(sum);
      return bytes;
    };
    const add = (data: Uint8Array) => {
      sum = crc32c(data, sum);
    };
    return { add, digest };
  };
}

function hashOf(name: "md5" | "sha256"): Sum {
  const hash = createHash(name);
  return { add: (data) => void hash.update(data), digest: () => hash.digest() };
}

class Check implements ChecksumCheck {
  constructor(
    readonly name: ChecksumName,
    readonly value: Buffer,
    readonly sum: Sum,
  ) {}

  add(data: Uint8Array): void {
    this.sum.add(data);
  }

  end(): void {
    const found = this.sum.digest();
    if (found.equals(this.value)) return;
    const [is, not] = [found.toString("hex"), this.value.toString("hex")];
    throw failure("Corrupt", `the ${this.name} of the bytes is ${is}, not ${not}; nothing is stored`);
  }
}

/** The body of a write, and what the driver verifies of it. */
export interface CheckedBody {
  body: Body;
  size: number | undefined;
  checksum?: WriteChecksum | undefined;
}

/** Returns a body that fails at its end if it has another checksum, unless the driver has that verified. */
export async function verifyChecksum(
  body: Body,
  options: WriteOptions,
  { checksums = [] }: Driver,
  written: WeakSet<object>,
): Promise<CheckedBody> {
  const { size } = options;
  const checksum = await checkChecksum(options);
  if (checksums.includes(checksum.name)) return { body, size, checksum };
  const data = whole(body);
  if (!data) {
    checkUnread(body, written);
    return {
      body: checkedStream(toByteStream(body), checksum),
      size: body instanceof Blob ? (size ?? body.size) : size,
    };
  }
  const check = checksum.begin();
  check.add(data);
  check.end();
  return { body, size };
}

async function* checkedStream(bytes: ByteStream, checksum: WriteChecksum): ByteStream {
  const check = checksum.begin();
  for await (const chunk of bytes) {
    check.add(chunk);
    yield chunk;
  }
  check.end();
}
