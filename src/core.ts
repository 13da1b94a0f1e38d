/**
 * The library in parts, for small single-file bundles. `createStorage` holds only the drivers, codecs and connection
 * sources passed to it, so that a bundler can leave out the rest.
 *
 * @packageDocumentation
 */
export type { Codec } from "./codecs/codec.js";
export {
  type Connection,
  type ConnectionInput,
  type ConnectionLike,
  type ConnectionSource,
  type ConnectionsOption,
  chainConnections,
  connectionsFromEnv,
  connectionsFromFile,
  connectionsFromFunction,
  connectionsFromRecord,
} from "./connections/index.js";
export { BatchError, isBatchError, isStorageError, StorageError } from "./errors.js";
export type { BucketEntry, Buckets, CreateBucketOptions } from "./fs/buckets.js";
export { contentTypeOf } from "./fs/driver/content.js";
export type { CustomerKey, Driver, DriverFactory, ObjectDriver, ObjectEncryption } from "./fs/driver/driver.js";
export { file } from "./fs/drivers/file/index.js";
export { memory } from "./fs/drivers/memory.js";
export type { JsonOptions, StandardSchema } from "./fs/get.js";
export type { SignedPost, SignedUrl } from "./fs/links.js";
export type { ListPage, ListResult, PageOptions } from "./fs/list.js";
export { Objects } from "./fs/objects.js";
export { type CreateStorageOptions, createObjects, createStorage } from "./fs/open.js";
export type {
  Checksum,
  DeleteObjectOptions,
  DirectoryEntry,
  KeyOptions,
  ObjectEntry,
  ObjectReadOptions,
  ObjectStatOptions,
  ObjectWriteOptions,
  OtherEntry,
  RangesOptions,
  SignedPostOptions,
  UpdateOptions,
} from "./fs/options.js";
export { Storage } from "./fs/storage.js";
export type { SyncOptions, SyncStep, SyncSummary } from "./fs/sync.js";
export type { UpdateFunction } from "./fs/update.js";
export type { WriteBody } from "./fs/write.js";
export { XComObjectStorageBackend } from "./objectstore-backend.js";
export { type PathParts, StoragePath } from "./path.js";
export { readAliases } from "./xcom/aliases.js";
export { allowedTypes } from "./xcom/allowed-types.js";
export { digests } from "./xcom/digest.js";
export type { BaseAndLayouts, Digested, XComFeatures } from "./xcom/features.js";
export { keyTemplates } from "./xcom/keys/template.js";
export type { XComObjectStorageBackendOptions } from "./xcom/options.js";
export { serializers } from "./xcom/serializers.js";
export { settingsFromEnv, type XComSettings } from "./xcom/settings.js";
