/**
 * The folder's entry point: XComs as the command uses them. `src/xcom.ts` is the users' entry point; the backend
 * itself, `src/objectstore-backend.ts`, is built from the files of this folder.
 */
export type { ReferenceSource } from "../references.js";
export type { Query } from "../sql.js";
export { airflowEncoding, jsonEncoding, objectForm } from "./encoding/airflow.js";
export { readJson } from "./encoding/json-read.js";
export { jsonBytes, jsonText } from "./encoding/json-write.js";
export type { ReadAliases } from "./features.js";
export { type ImportReport, INDEX, importExported, importReferences, UNFINISHED } from "./import.js";
export { asPath } from "./keys/base.js";
export { type LayoutName, parseObjectName } from "./keys/layout.js";
export {
  type Expiring,
  type LifecycleProvider,
  lifecyclePolicy,
  lifecycleProvider,
  tooShort,
} from "./layers/lifecycle.js";
export { airflowReferences } from "./operations/airflow-references.js";
export type { SweepShard } from "./operations/candidates.js";
export { type FsckProblem, type FsckProblemKind, type FsckReport, fsck } from "./operations/fsck.js";
export { type MigratedReference, type MigrateReport, migrate } from "./operations/migrate.js";
export type { OperationProgress } from "./operations/progress.js";
export { lineReferences, rowReferences } from "./operations/references.js";
export { report } from "./operations/report.js";
export type { ReportBreakdown, ReportGroup, StorageReport } from "./operations/report-data.js";
export { reportHtml } from "./operations/report-html.js";
export { bytesText } from "./operations/report-text.js";
export { airflowRewriter, rowRewriter } from "./operations/rewriters.js";
export { LineSorter, RunFolder } from "./operations/sorted-lines.js";
export { sweep } from "./operations/sweep.js";
export type { SweptObject } from "./operations/sweep-removal.js";
export type { SweepReport } from "./operations/sweep-report.js";
export { type UndoSweepReport, undoSweep } from "./operations/sweep-undo.js";
export { airflowRows, sqliteQuery } from "./rows/airflow-database.js";
export { restRows } from "./rows/airflow-rest.js";
export { mysqlQuery, mysqlState } from "./rows/mysql.js";
export type { XComRow, XComRowReader, XComRows } from "./rows/rows.js";
export { sqlRows } from "./rows/sql.js";
export { type Env, SETTING, settingsFromEnv, type XComCompression, type XComSettings } from "./settings.js";
export { listStoredXComs, placeOf, type StoredFilter, type StoredLocation } from "./stored.js";
export { XCom } from "./xcom.js";
