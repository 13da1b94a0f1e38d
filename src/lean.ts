/**
 * stowage in parts, for small one-file bundles: `openStorage` holds the drivers, codecs and sources of connections that
 * it is given and no other, so that a bundler can leave the rest out.
 */
export {
  type Connection,
  type ConnectionInput,
  type ConnectionLike,
  type ConnectionSource,
  chainConnections,
  connectionsFromEnv,
  connectionsFromFile,
  connectionsFromFunction,
  connectionsFromRecord,
} from "./connections/index.js";
export { BatchError, isBatchError, isStorageError, StorageError } from "./errors.js";
export { contentTypeOf } from "./fs/content-types.js";
export type { ObjectDriver, OpenDriver } from "./fs/driver.js";
export { fileDrivers } from "./fs/drivers/file.js";
export { memoryDrivers } from "./fs/drivers/memory.js";
export { Objects } from "./fs/objects.js";
export { Storage } from "./fs/storage.js";
export { XComObjectStorageBackend } from "./objectstore-backend.js";
export { type LeanStorageOptions, openObjects, openStorage } from "./open-lean.js";
export { StoragePath } from "./path.js";
export { readAliases } from "./xcom/aliases.js";
export { allowedTypes } from "./xcom/allow-list.js";
export { serializers } from "./xcom/choose.js";
export { settingsFromEnv, type XComSettings } from "./xcom/config.js";
export type { Extras } from "./xcom/extras.js";
export { keyTemplates } from "./xcom/layouts/template.js";
