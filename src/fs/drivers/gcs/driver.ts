import type { ConditionalIdentifier, Driver, DriverContext } from "../../driver/driver.js";
import { upload } from "../../driver/upload.js";
import { CHECKSUMS, ENCRYPTIONS, encryptedPlace, setAttributes } from "./attributes.js";
import { bucketService } from "./buckets.js";
import type { Server } from "./client.js";
import { copyObject } from "./copy.js";
import { deleteObjects, deleteOne } from "./delete.js";
import { codeOf } from "./errors.js";
import { listObjects } from "./list.js";
import { ATTRIBUTES } from "./object.js";
import { readLast, readObject, statObject } from "./read.js";
import { signedPost, signedUrl } from "./sign.js";
import { Upload } from "./write.js";

/** Returns the driver for the bucket of `server`. */
export function gcsDriver(server: Server, shared: DriverContext): Driver {
  const { uploads } = shared;
  return {
    attributes: ATTRIBUTES,
    attributesOnCopy: ATTRIBUTES,
    checksums: CHECKSUMS,
    encryption: {
      names: ENCRYPTIONS,
      customerKeyOnCopy: true,
      driver: (call) => gcsDriver(server.at(encryptedPlace(server.place, call, server.origin)), shared),
    },
    stat: (key, options) => statObject(server, key, options),
    list: (prefix, options) => listObjects(server, prefix, options),
    startsAnywhere: server.place.google,
    read: (key, options) => readObject(server, key, options),
    readLast: (key, last, options) => readLast(server, key, last, options),
    write: async (key, body, options) => {
      const { size, signal, onProgress } = options;
      return upload(body, new Upload(server, key, options), { limiter: uploads, size, signal, onProgress });
    },
    copy: (from, to, options) => copyObject(server, from, to, options),
    setAttributes: (key, attributes, options) => setAttributes(server, key, attributes, options),
    delete: (objects, { signal }) => deleteObjects(server, objects, signal),
    // Other servers ignore the condition.
    ...(server.place.google && {
      deleteIfMatch: (key: string, etag: string, { signal }: { signal: AbortSignal | undefined }) =>
        deleteOne(server, { key, ifMatch: etag }, signal),
      deleteManyIfMatch: (objects: readonly ConditionalIdentifier[], { signal }: { signal: AbortSignal | undefined }) =>
        deleteObjects(server, objects, signal),
    }),
    signedUrl: (key, options) => signedUrl(server, key, options),
    signedPost: (key, options) => signedPost(server, key, options),
    buckets: bucketService(server, () => server.tokens.project()),
    codeOf,
    close: async () => server.close(),
  };
}
