import { failure } from "../../../errors.js";
import { batchDelete } from "../../driver/batch-delete.js";
import type { Driver, DriverContext } from "../../driver/driver.js";
import { upload } from "../../driver/upload.js";
import { verifiedParts } from "../../driver/verified-upload.js";
import { ENCRYPTIONS, encryptedServer, setAttributes, statWithTags } from "./attributes.js";
import { bucketService } from "./buckets.js";
import type { Server } from "./client.js";
import { CopyRequests, copyObject } from "./copy.js";
import { BatchRequests } from "./delete.js";
import { codeOf } from "./errors.js";
import { listBlobs } from "./list.js";
import { ATTRIBUTES, ON_COPY } from "./object.js";
import { readObject } from "./read.js";
import { signedUrl } from "./sign.js";
import { Upload, WriteRequests } from "./write.js";

/** Returns the driver for the container of `server`. */
export function azureDriver(server: Server, shared: DriverContext): Driver {
  const { uploads } = shared;
  return {
    attributes: ATTRIBUTES,
    attributesOnCopy: ON_COPY,
    checksums: ["md5"],
    encryption: {
      names: ENCRYPTIONS,
      customerKeyOnCopy: false,
      driver: (call) => azureDriver(encryptedServer(server, call), shared),
    },
    stat: (key, options) => statWithTags(server, key, options),
    setAttributes: (key, attributes, options) => setAttributes(server, key, attributes, options),
    list: (prefix, options) => listBlobs(server, prefix, options),
    read: (key, options) => readObject(server, key, options),
    write: async (key, body, options) => {
      const { size, signal, onProgress } = options;
      const target = new Upload(new WriteRequests(server, key, options), options);
      return upload(body, verifiedParts(target, options.checksum), { limiter: uploads, size, signal, onProgress });
    },
    copy: (from, to, options) => copyObject(new CopyRequests(server, from, to), options),
    delete: (objects, { signal }) => batchDelete(new BatchRequests(server), objects, signal),
    deleteIfMatch: (key, ifMatch, { signal }) => new BatchRequests(server).deleteOne({ key, ifMatch }, signal),
    deleteManyIfMatch: (objects, { signal }) => batchDelete(new BatchRequests(server), objects, signal),
    signedUrl: async (key, options) => signedUrl(server, key, options),
    signedPost: async () => {
      throw failure("Unsupported", "Azure takes no uploads by a form; send a PUT to a signed URL");
    },
    buckets: bucketService(server),
    codeOf,
    close: async () => server.close(),
  };
}
