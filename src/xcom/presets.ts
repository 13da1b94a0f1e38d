/** Option presets of the backend. */
import { readAliases } from "./aliases.js";
import { allowedTypes } from "./allowed-types.js";
import { digests } from "./digest.js";
import { decodePieces, readAhead } from "./encoding/json-ahead.js";
import { planPieces } from "./encoding/json-pieces.js";
import type { XComFeatures } from "./features.js";
import { keyTemplates } from "./keys/template.js";
import type { XComObjectStorageBackendOptions } from "./options.js";
import { serializers } from "./serializers.js";

/**
 * Options for tasks that run on separate machines and share only a bucket: every value becomes an object, compressed by
 * the codec that every reader has.
 *
 *     new XComObjectStorageBackend({ ...REMOTE_AGENT_OPTIONS, storage, path: "s3://my_conn@my_bucket/xcom" })
 */
export const REMOTE_AGENT_OPTIONS = Object.freeze({
  threshold: 0,
  compression: "gzip",
}) satisfies Readonly<Partial<XComObjectStorageBackendOptions>>;

/** All features, for programs whose bundle size does not matter. */
export const ALL_FEATURES: XComFeatures = {
  ...keyTemplates,
  ...readAliases,
  ...serializers,
  ...allowedTypes,
  ...digests,
  json: { plan: planPieces, text: decodePieces, readAhead },
};
