export { XComObjectStorageBackend } from "./backend.js";
export type { Codec, CodecName, Codecs, DecodeOptions, EncodeOptions } from "./codecs/codec.js";
export { codecs } from "./codecs/index.js";
export type { MemoryLimiter as Budget } from "./concurrency.js";
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
  BatchDeleteError as PartialDelete,
  type DeleteFailure,
  type Driver,
  type DriverContext as Shared,
  type DriverCopyOptions as CopyOptions,
  type DriverListEntry as Item,
  type DriverListOptions as ListOptions,
  type DriverReadOptions as ReadOptions,
  type DriverSignOptions as SignOptions,
  type DriverStatOptions as StatOptions,
  type DriverWriteOptions as WriteOptions,
  type FileSystem,
  type ObjectDriver,
  type ObjectIdentifier as Doomed,
  type ObjectInfo as Info,
  type OpenDriver,
  type OperationContext as FailedCall,
  type WriteResult as Receipt,
} from "./fs/driver/driver.js";
export type { Objects } from "./fs/objects.js";
export type {
  Compression,
  CopyOptions as CopyInit,
  DeleteObjectOptions as RemoveInit,
  DeleteOptions as DeleteInit,
  GlobOptions as GlobInit,
  ListOptions as ListInit,
  PathLike as At,
  Range,
  RangesInit,
  ReadOptions as ReadInit,
  SignedUrlOptions as SignInit,
  StatOptions as StatInit,
  WriteOptions as WriteInit,
} from "./fs/options.js";
export { type ListEntry as Entry, Storage } from "./fs/storage.js";
export type { StorageWritable } from "./fs/writable.js";
export type { FromEnvOptions, Owner, XComObjectStorageBackendOptions } from "./objectstore-backend.js";
export { type OpenStorageOptions, openStorage } from "./open.js";
export { type PathParts, StoragePath } from "./path.js";
export type { Body, ByteStream as Bytes } from "./streams.js";
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
export { type ImportOptions, type ImportReport as Imported, importExported, importReferences } from "./xcom/import.js";
export { REMOTE_AGENT_OPTIONS } from "./xcom/index.js";
export { type LifecycleOptions, lifecyclePolicy } from "./xcom/layers/lifecycle.js";
export type { LocatableBackend as PlacedBackend } from "./xcom/layers/located.js";
export { type ReplicaOptions, type Replicas, replicate } from "./xcom/layers/replicate.js";
export { type Retention, type RetentionOptions, withRetention as retain } from "./xcom/layers/retention.js";
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
  type StoredLocation as StoredPlace,
  type StoredXCom,
} from "./xcom/stored.js";
export type { ClearOptions, ClearReport as Cleared, ClearTarget } from "./xcom/xcom.js";
export { XCom, type XComEntry, type XComOptions } from "./xcom/xcom.js";
