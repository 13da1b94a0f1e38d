export { XComObjectStorageBackend } from "./backend.js";
export type { Codec, CodecName, Codecs, DecodeOptions, EncodeOptions } from "./codecs/codec.js";
export { codecs } from "./codecs/index.js";
export type { MemoryLimiter } from "./concurrency.js";
export {
  type Connection,
  type ConnectionInput,
  type ConnectionLike,
  type ConnectionSource,
  type ConnectionsOption,
  connectionsFromEnv,
  connectionsFromFile,
  type Extra,
  parseConnection,
  Secret,
} from "./connections/index.js";
export {
  BatchError,
  type BatchErrorInit,
  type EntryFailure,
  type ErrorCode,
  isBatchError,
  isStorageError,
  StorageError,
  type StorageErrorInit,
} from "./errors.js";
export {
  BatchDeleteError,
  type DeleteFailure,
  type Driver,
  type DriverContext,
  type DriverCopyOptions,
  type DriverListEntry,
  type DriverListOptions,
  type DriverReadOptions,
  type DriverSignOptions,
  type DriverStatOptions,
  type DriverWriteOptions,
  type FileSystem,
  type ObjectDriver,
  type ObjectIdentifier,
  type ObjectInfo,
  type OpenDriver,
  type OperationContext,
  type WriteResult,
} from "./fs/driver/driver.js";
export type { Objects } from "./fs/objects.js";
export type {
  Compression,
  CopyOptions,
  DeleteObjectOptions,
  DeleteOptions,
  GlobOptions,
  ListOptions,
  PathLike,
  Range,
  RangesInit,
  ReadOptions,
  SignedUrlOptions,
  StatOptions,
  WriteOptions,
} from "./fs/options.js";
export { type ListEntry, Storage } from "./fs/storage.js";
export type { StorageWritable } from "./fs/writable.js";
export type { FromEnvOptions, Owner, XComObjectStorageBackendOptions } from "./objectstore-backend.js";
export { type OpenStorageOptions, openStorage } from "./open.js";
export { type PathParts, StoragePath } from "./path.js";
export type { Body, ByteStream } from "./streams.js";
export {
  DataFrame,
  DateTime,
  Decimal,
  Envelope,
  Float,
  FrozenSet,
  PlainDate,
  Timedelta,
  TimeZone,
  Tuple,
  Uuid,
} from "./xcom/encoding/airflow.js";
export { type ImportOptions, type ImportReport, importExported, importReferences } from "./xcom/import.js";
export { REMOTE_AGENT_OPTIONS } from "./xcom/index.js";
export { type LifecycleOptions, lifecyclePolicy } from "./xcom/layers/lifecycle.js";
export type { LocatableBackend } from "./xcom/layers/located.js";
export { type ReplicaOptions, type Replicas, replicate } from "./xcom/layers/replicate.js";
export { type Retention, type RetentionOptions, withRetention } from "./xcom/layers/retention.js";
export type { RetentionRule, ValueType } from "./xcom/layers/retention-rules.js";
export { type RouteContext, type RoutedBackend, type RouteOptions, routeXComs } from "./xcom/layers/route.js";
export type { LoadOptions, XComBackend } from "./xcom/options.js";
export { airflowRows, airflowRuns, type RunFinder, sqliteQuery } from "./xcom/rows/airflow-database.js";
export { type RestRows, type RestRowsOptions, restRows } from "./xcom/rows/airflow-rest.js";
export { memoryRows } from "./xcom/rows/memory.js";
export type { RowFilter, RowKey, RowOptions, XComRow, XComRowReader, XComRows } from "./xcom/rows/rows.js";
export type { Query } from "./xcom/rows/sql.js";
export { type SqlRows, sqlRows } from "./xcom/rows/sql.js";
export { defineSerializer, type Serializer, type SerializerOptions } from "./xcom/serializer.js";
export {
  type ClassSerializerOptions,
  type Serializable,
  type SerializableClass,
  serializerOf,
} from "./xcom/serializers.js";
export {
  listStoredXComs,
  type StoredFilter,
  type StoredLocation,
  type StoredXCom,
} from "./xcom/stored.js";
export type { ClearOptions, ClearReport, ClearTarget } from "./xcom/xcom.js";
export { XCom, type XComEntry, type XComOptions } from "./xcom/xcom.js";
