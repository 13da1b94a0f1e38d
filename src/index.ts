export { XComObjectStorageBackend } from "./backend.js";
export type { Codec, CodecName, DecodeOptions, EncodeOptions } from "./codecs/codec.js";
export { codecs } from "./codecs/index.js";
export type { Codecs } from "./codecs/lookup.js";
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
export type { Body } from "./fs/bytes.js";
export {
  type Budget,
  type Bytes,
  type CopyOptions,
  type DeleteFailure,
  type Doomed,
  type Driver,
  type FailedCall,
  type FileSystem,
  type Info,
  type Item,
  type ListOptions,
  type ObjectDriver,
  type OpenDriver,
  PartialDelete,
  type ReadOptions,
  type Receipt,
  type Shared,
  type SignOptions,
  type StatOptions,
  type WriteOptions,
} from "./fs/driver.js";
export type { Objects } from "./fs/objects.js";
export type {
  At,
  Compression,
  CopyInit,
  DeleteInit,
  GlobInit,
  ListInit,
  Range,
  RangesInit,
  ReadInit,
  RemoveInit,
  SignInit,
  StatInit,
  WriteInit,
} from "./fs/options.js";
export { type Entry, Storage } from "./fs/storage.js";
export type { StorageWritable } from "./fs/writable.js";
export type {
  FromEnvOptions,
  LoadOptions,
  Owner,
  XComBackend,
  XComObjectStorageBackendOptions,
} from "./objectstore-backend.js";
export { type OpenStorageOptions, openStorage } from "./open.js";
export { type PathParts, StoragePath } from "./path.js";
export type { Cleared, ClearOptions, ClearTarget } from "./xcom/clear.js";
export { type Imported, type ImportOptions, importExported, importReferences } from "./xcom/import.js";
export { type LifecycleOptions, lifecyclePolicy } from "./xcom/lifecycle.js";
export type { PlacedBackend } from "./xcom/placed.js";
export { remoteAgents } from "./xcom/presets.js";
export { type ReplicaOptions, type Replicas, replicate } from "./xcom/replicas.js";
export { type Retention, type RetentionOptions, retain } from "./xcom/retention.js";
export type { RetentionRule, ValueType } from "./xcom/retention-rules.js";
export { type RouteContext, type RoutedBackend, type RouteOptions, routeXComs } from "./xcom/route.js";
export type { RowFilter, RowKey, RowOptions, XComRow, XComRowReader, XComRows } from "./xcom/rows.js";
export { memoryRows } from "./xcom/rows-memory.js";
export { airflowRows, sqliteQuery } from "./xcom/rows-metadata.js";
export { type RestRows, type RestRowsOptions, restRows } from "./xcom/rows-rest.js";
export { type SqlRows, sqlRows } from "./xcom/rows-sql.js";
export { airflowRuns, type RunFinder } from "./xcom/runs.js";
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
} from "./xcom/serde.js";
export { defineSerializer, type Serializer, type SerializerOptions } from "./xcom/serializer.js";
export {
  type ClassSerializerOptions,
  type Serializable,
  type SerializableClass,
  serializerOf,
} from "./xcom/serializers/class.js";
export type { Query } from "./xcom/sql.js";
export { type StoredFilter, type StoredPlace, type StoredXCom, storedXComs } from "./xcom/stored.js";
export { XCom, type XComEntry, type XComOptions } from "./xcom/xcom.js";
