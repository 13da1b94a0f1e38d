import { failure } from "../../../../errors.js";
import type { Driver, Shared, SignOptions } from "../../../driver.js";
import { upload } from "../../../parts.js";
import { copy } from "../copy.js";
import { remove } from "../delete.js";
import { codeOf } from "../dialect.js";
import { checkConditions } from "../write.js";
import type { Sdk } from "./client.js";
import { SdkCopy } from "./copy.js";
import { SdkDelete } from "./delete.js";
import { list } from "./list.js";
import { read, stat } from "./read.js";
import { SdkTarget } from "./write.js";

/** A bucket on the official client. The client stays the caller's: closing the driver leaves it open. */
export function sdkDriver(sdk: Sdk, { uploads }: Shared): Driver {
  return {
    metadata: true,
    stat: (key, options) => stat(sdk, key, options),
    list: (prefix, options) => list(sdk, prefix, options),
    read: (key, options) => read(sdk, key, options),
    write: async (key, body, options) => {
      checkConditions(sdk.profile, options);
      const { size, signal, onProgress } = options;
      return upload(body, new SdkTarget(sdk, key, options), { budget: uploads, size, signal, onProgress });
    },
    copy: (from, to, options) => copy(new SdkCopy(from, sdk, to), options),
    delete: (objects, { signal }) => remove(new SdkDelete(sdk), objects, signal),
    sign: (key, options) => sign(sdk, key, options),
    codeOf,
    close: async () => {},
  };
}

async function sign(
  { client, library, bucket }: Sdk,
  key: string,
  { method, expiresIn }: SignOptions,
): Promise<string> {
  const { getSignedUrl } = await loadPresigner();
  const place = { Bucket: bucket, Key: key };
  const command = method === "GET" ? new library.GetObjectCommand(place) : new library.PutObjectCommand(place);
  return getSignedUrl(client, command, { expiresIn });
}

async function loadPresigner(): Promise<typeof import("@aws-sdk/s3-request-presigner")> {
  try {
    return await import("@aws-sdk/s3-request-presigner");
  } catch (cause) {
    throw failure("Unsupported", "signing with fromS3Client needs the package @aws-sdk/s3-request-presigner", {
      cause,
    });
  }
}
