/**
 * Airflow's object storage backend for XComs, the layers around it, the rows that refer to its objects, serializers,
 * and the Python values that have no JavaScript type.
 *
 * @packageDocumentation
 */
export { XComObjectStorageBackend } from "./backend.js";
export type { Abortable } from "./fs/options.js";
export type { FromEnvOptions } from "./objectstore-backend.js";
export type { FoundReference, NamedObject, ObjectLayout, ReferenceSource } from "./references.js";
export type { Query } from "./sql.js";
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
export type { DataFrameClass, DateTimeClass } from "./xcom/encoding/types.js";
export type { ReadAliases } from "./xcom/features.js";
export { type ImportOptions, type ImportReport, importExported, importReferences } from "./xcom/import.js";
export type { ExpectedOwner, LayoutName, Owner } from "./xcom/keys/layout.js";
export { type LifecycleOptions, type LifecycleProvider, lifecyclePolicy } from "./xcom/layers/lifecycle.js";
export type { LocatableBackend, ObjectStorageBackend } from "./xcom/layers/located.js";
export { type MovedOptions, withMoved } from "./xcom/layers/moved.js";
export { type ReplicaOptions, type Replicas, replicate } from "./xcom/layers/replicate.js";
export { type Retention, type RetentionOptions, withRetention } from "./xcom/layers/retention.js";
export type { RetentionRule, ValueType } from "./xcom/layers/retention-rules.js";
export { type RouteContext, type RoutedBackend, type RouteOptions, routeXComs } from "./xcom/layers/route.js";
export { airflowReferences } from "./xcom/operations/airflow-references.js";
export type { SweepShard } from "./xcom/operations/candidates.js";
export {
  type FsckOptions,
  type FsckProblem,
  type FsckProblemKind,
  type FsckReport,
  fsck,
} from "./xcom/operations/fsck.js";
export { type MigratedReference, type MigrateOptions, type MigrateReport, migrate } from "./xcom/operations/migrate.js";
export type { OperationProgress, Watched } from "./xcom/operations/progress.js";
export { lineReferences, rowReferences } from "./xcom/operations/references.js";
export { type ReportOptions, report } from "./xcom/operations/report.js";
export type {
  ReportBin,
  ReportBreakdown,
  ReportDay,
  ReportExpiry,
  ReportGroup,
  ReportObject,
  ReportReferences,
  ReportSum,
  StorageReport,
} from "./xcom/operations/report-data.js";
export { reportHtml } from "./xcom/operations/report-html.js";
export {
  airflowRewriter,
  type ReferenceChange,
  type ReferenceRewriter,
  rowRewriter,
} from "./xcom/operations/rewriters.js";
export { type SweepOptions, sweep } from "./xcom/operations/sweep.js";
export type { SweptObject } from "./xcom/operations/sweep-removal.js";
export type { SweepReport } from "./xcom/operations/sweep-report.js";
export { type UndoSweepOptions, type UndoSweepReport, undoSweep } from "./xcom/operations/sweep-undo.js";
export type { LoadOptions, XComBackend, XComObjectStorageBackendOptions } from "./xcom/options.js";
export { REMOTE_AGENT_OPTIONS } from "./xcom/presets.js";
export { airflowRows, airflowRuns, type RunFinder, sqliteQuery } from "./xcom/rows/airflow-database.js";
export { type RestRows, type RestRowsOptions, restRows } from "./xcom/rows/airflow-rest.js";
export { memoryRows } from "./xcom/rows/memory.js";
export { type MySqlClient, type MySqlQuery, mysqlQuery } from "./xcom/rows/mysql.js";
export type {
  RowCondition,
  RowFilter,
  RowKey,
  RowOptions,
  XComRow,
  XComRowReader,
  XComRows,
} from "./xcom/rows/rows.js";
export { type SqlRows, sqlRows } from "./xcom/rows/sql.js";
export { defineSerializer, type Serializer, type SerializerOptions } from "./xcom/serializer.js";
export {
  type ClassSerializerOptions,
  type Serializable,
  type SerializableClass,
  serializerOf,
} from "./xcom/serializers.js";
export { settingsFromEnv, type XComCompression, type XComSettings } from "./xcom/settings.js";
export { listStoredXComs, type StoredFilter, type StoredLocation, type StoredXCom } from "./xcom/stored.js";
export {
  type ClearOptions,
  type ClearReport,
  type ClearTarget,
  XCom,
  type XComEntry,
  type XComOptions,
} from "./xcom/xcom.js";
