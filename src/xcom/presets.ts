/** Options of the backend that belong together. */
import type { XComObjectStorageBackendOptions } from "../objectstore-backend.js";

/**
 * For tasks that run apart from each other and share nothing but a bucket: every value becomes an object, compressed by
 * the codec that every reader has.
 *
 *     new XComObjectStorageBackend({ ...remoteAgents, storage, path: "s3://my_conn@my_bucket/xcom" })
 */
export const remoteAgents = Object.freeze({
  threshold: 0,
  compression: "gzip",
}) satisfies Readonly<Partial<XComObjectStorageBackendOptions>>;
