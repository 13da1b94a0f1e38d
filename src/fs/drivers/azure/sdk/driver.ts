import type { BlobSASPermissions, BlobServiceClient } from "@azure/storage-blob";
import { failure } from "../../../../errors.js";
import { deleteAll } from "../../../bulk.js";
import type { Driver, Shared, SignOptions } from "../../../driver.js";
import { upload } from "../../../parts.js";
import { copyObject } from "../copy.js";
import { codeOf } from "../dialect.js";
import { listed } from "../list.js";
import { Upload } from "../write.js";
import { objectOf, type Sdk } from "./client.js";
import { SdkCopy } from "./copy.js";
import { sdkPages } from "./list.js";
import { readObject, statObject } from "./read.js";
import { SdkDelete } from "./remove.js";
import { SdkWrite } from "./write.js";

/** A container on the official client. The client stays the caller's: closing the driver leaves it open. */
export function sdkDriver(
  service: BlobServiceClient,
  bucket: string,
  encryptionScope: string | undefined,
  { uploads }: Shared,
): Driver {
  const sdkOf = (name: string): Sdk => ({ container: service.getContainerClient(name), encryptionScope });
  const sdk = sdkOf(bucket);
  return {
    metadata: true,
    stat: (key, options) => statObject(sdk, key, options),
    list: (prefix, options) => listed(sdkPages(sdk, prefix, options), prefix, options),
    read: (key, options) => readObject(sdk, key, options),
    write: async (key, body, options) => {
      const { size, signal, onProgress } = options;
      const target = new Upload(new SdkWrite(sdk, key, options), options);
      return upload(body, target, { budget: uploads, size, signal, onProgress });
    },
    copy: async (from, to, options) => {
      const source = objectOf(sdkOf(from.bucket), from.key);
      return copyObject(new SdkCopy(source, objectOf(sdk, to)), options);
    },
    delete: (objects, { signal }) => deleteAll(new SdkDelete(sdk), objects, signal),
    sign: (key, options) => sign(sdk, key, options),
    codeOf,
    close: async () => {},
  };
}

async function sign(sdk: Sdk, key: string, { method, expiresIn }: SignOptions): Promise<string> {
  const object = objectOf(sdk, key);
  // The client takes the text of its permissions; making them with its own class would load all of it here.
  const permissions = (method === "GET" ? "r" : "cw") as unknown as BlobSASPermissions;
  try {
    return await object.generateSasUrl({ permissions, expiresOn: new Date(Date.now() + expiresIn * 1000) });
  } catch (error) {
    throw failure("Unsupported", `this client cannot sign: ${(error as Error).message}`);
  }
}
