/**
 * Storage with every driver, codec and connection source, and Airflow's XCom backend. The helpers for drivers are in
 * `stowage/driver`, everything around the backend is in `stowage/xcom`.
 *
 * @packageDocumentation
 */
export { XComObjectStorageBackend } from "./backend.js";
export type { CodecName, Codecs } from "./codecs/codec.js";
export { codecs } from "./codecs/index.js";
export {
  type Connection,
  type ConnectionInput,
  type ConnectionLike,
  type ConnectionSource,
  connectionsFromEnv,
  connectionsFromFile,
  parseConnection,
  Secret,
} from "./connections/index.js";
export {
  BatchError,
  type EntryFailure,
  type ErrorCode,
  isBatchError,
  isStorageError,
  StorageError,
} from "./errors.js";
export type { AttributeChanges } from "./fs/attributes.js";
export type { DriverFactory, ObjectAttributes, ObjectInfo, WriteResult } from "./fs/driver/driver.js";
export type { GetResult } from "./fs/get.js";
export type {
  Compression,
  CopyOptions,
  DeleteOptions,
  GlobOptions,
  ListEntry,
  ListOptions,
  PathLike,
  Range,
  ReadOptions,
  SetAttributesOptions,
  SignedUrlOptions,
  StatOptions,
  WriteOptions,
} from "./fs/options.js";
export { Storage } from "./fs/storage.js";
export type { StorageWritable } from "./fs/writable.js";
export { type OpenStorageOptions, openStorage } from "./open.js";
export { StoragePath } from "./path.js";
export type { Body, ByteStream } from "./streams.js";
export type { XComObjectStorageBackendOptions } from "./xcom/options.js";
