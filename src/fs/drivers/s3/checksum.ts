/** Writes with a checksum that the caller states. Small bundles do without. */
import type { MemoryLimiter } from "../../../concurrency.js";
import type { ByteStream } from "../../../streams.js";
import type { ChecksumName, DriverWriteOptions, WriteChecksum, WriteResult } from "../../driver/driver.js";
import { type UploadTarget, upload } from "../../driver/upload.js";
import { verifiedParts } from "../../driver/verified-upload.js";
import type { Bucket } from "./client.js";
import type { Profile } from "./profile.js";
import { checkConditions, ObjectTarget, type PartDone, write } from "./write.js";

/** The checksums that a service verifies. All know Content-MD5; older ones refuse or ignore the others. */
export function checksumsOf({ checksums }: Profile): readonly ChecksumName[] {
  return checksums ? ["md5", "crc32c", "sha256"] : ["md5"];
}

/** Writes an object. The service verifies the checksum of a body in one request, this process that of one in parts. */
export async function writeChecked(
  bucket: Bucket,
  key: string,
  body: ByteStream,
  options: DriverWriteOptions,
  limiter: MemoryLimiter,
): Promise<WriteResult> {
  const { checksum, size, signal, onProgress } = options;
  if (!checksum) return write(bucket, key, body, options, limiter);
  checkConditions(bucket.profile, options);
  const inParts = new ObjectTarget(bucket, key, options);
  const atOnce = new ObjectTarget(stating(bucket, checksum), key, options);
  const target: UploadTarget<PartDone> = {
    limits: inParts.limits,
    putObject: (data, length, ending) => atOnce.putObject(data, length, ending),
    createUpload: () => inParts.createUpload(),
  };
  return upload(body, verifiedParts(target, checksum), { limiter, size, signal, onProgress });
}

/** Returns the same bucket, whose objects are created with this checksum. Besides the MD5 the service takes only one. */
function stating(bucket: Bucket, { name, value }: WriteChecksum): Bucket {
  const header = name === "md5" ? "content-md5" : `x-amz-checksum-${name}`;
  const create = { ...bucket.encryption.create, [header]: value.toString("base64") };
  const { write: own, read } = bucket.checksums;
  return {
    ...bucket,
    encryption: { ...bucket.encryption, create },
    checksums: { write: own && name === "md5", read },
  };
}
