/** Uploads whose checksum the provider verifies in one request, but not in parts. */
import type { ChecksumCheck, WriteChecksum, WriteResult } from "./driver.js";
import type { MultipartUpload, Part, UploadTarget } from "./upload.js";

/** Returns a target that compares the checksum of all parts before they become an object. */
export function verifiedParts<P>(target: UploadTarget<P>, checksum: WriteChecksum | undefined): UploadTarget<P> {
  if (!checksum) return target;
  return {
    limits: target.limits,
    putObject: (data, size, signal) => target.putObject(data, size, signal),
    createUpload: async () => new VerifiedUpload(await target.createUpload(), checksum.begin()),
  };
}

class VerifiedUpload<P> implements MultipartUpload<P> {
  constructor(
    readonly upload: MultipartUpload<P>,
    readonly check: ChecksumCheck,
  ) {}

  /** Parts are sent at once, but start in their order. */
  async uploadPart(part: Part, signal: AbortSignal): Promise<P> {
    this.check.add(part.data);
    // The last part itself may create the object.
    if (part.last) this.check.end();
    return this.upload.uploadPart(part, signal);
  }

  complete(parts: readonly P[], size: number, signal: AbortSignal): Promise<WriteResult> {
    return this.upload.complete(parts, size, signal);
  }

  abort(): Promise<void> {
    return this.upload.abort();
  }
}
