/** Options of the backend that belong together. */
import { readAliases } from "./aliases.js";
import { allowedTypes } from "./allowed-types.js";
import type { Extras } from "./features.js";
import { keyTemplates } from "./keys/template.js";
import type { XComObjectStorageBackendOptions } from "./options.js";
import { serializers } from "./serializers.js";

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

/** For those who do not count bytes. */
export const ALL_EXTRAS: Extras = { ...keyTemplates, ...readAliases, ...serializers, ...allowedTypes };
