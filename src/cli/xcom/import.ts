/** Restores rows from objects or from an export. */

import { XComObjectStorageBackend } from "../../backend.js";
import { invalid } from "../../errors.js";
import type { StoragePath } from "../../path.js";
import {
  asPath,
  type ImportReport,
  INDEX,
  importExported,
  importReferences,
  listStoredXComs,
  sqlRows,
  UNFINISHED,
  XCom,
  type XComRows,
} from "../../xcom/index.js";
import type { Session } from "../command.js";
import { jsonLine, messageOf, printable, put } from "../format.js";
import { pluralize } from "../options.js";
import { type FilterOptions, filterOf } from "./list.js";
import { openRest, postgresQuery } from "./rows.js";
import { configuredBase, pathOrBase, settingsOf } from "./values.js";

export interface ImportOptions extends FilterOptions {
  into: string;
  table?: string;
  replace?: boolean;
  base?: string;
}

/** Restores stored values from a folder with an index; from anywhere else, references to the existing objects. */
export async function importXComs(session: Session, text: string | undefined, options: ImportOptions): Promise<void> {
  const { storage, signal } = session;
  const base = configuredBase(session.env);
  const path = pathOrBase(session, text);
  const { key, replace } = options;
  const { rows, close } = await openTarget(session, options);
  try {
    const isExport = await storage.exists(path.join(INDEX), { signal });
    if (!isExport) await checkReferences(session, path, base, options);
    const done = isExport
      ? await importExported(xcomOf(session, rows, options), { storage, path }, { key, replace, signal })
      : await importReferences(rows, importFrom(session, path, base, options), { key, replace, signal });
    await printReport(session, done, path);
  } finally {
    await close();
  }
}

/** Objects elsewhere would become references that no backend of this base reads. */
async function checkReferences(
  { storage, signal }: Session,
  path: StoragePath,
  base: StoragePath | undefined,
  options: ImportOptions,
) {
  if (await storage.exists(path.join(UNFINISHED), { signal }))
    throw invalid(`${path} is an export that was interrupted: it has no ${INDEX}; export again, to another folder`);
  const below = options.base === undefined ? base : asPath(options.base);
  if (below && !path.equals(below) && !path.isRelativeTo(below))
    throw invalid(`${path} is not below the base ${below}, and is no export (it has no ${INDEX})`);
}

function importFrom(
  { storage, signal }: Session,
  path: StoragePath,
  base: StoragePath | undefined,
  options: ImportOptions,
) {
  // An explicit key also applies to objects whose path does not contain one.
  const { key: _, ...filter } = filterOf(options);
  return listStoredXComs({ storage, path, base }, filter, { signal });
}

function xcomOf(session: Session, rows: XComRows, options: ImportOptions): XCom {
  const backend = new XComObjectStorageBackend({ ...settingsOf(session, options), storage: session.storage });
  return new XCom({ rows, backend });
}

async function openTarget(session: Session, { into, table }: ImportOptions) {
  if (/^https?:\/\//.test(into)) return openRest(session, into);
  if (!/^postgres(ql)?:\/\//.test(into))
    throw invalid("--into is postgresql://… for a table, or https://… for Airflow's REST API");
  const { query, close } = await postgresQuery(into);
  const rows = sqlRows(query, { table });
  await rows.create({ signal: session.signal });
  return { rows, close };
}

async function printReport(
  session: Session,
  { rows, skipped, failed }: ImportReport,
  path: StoragePath,
): Promise<void> {
  const { json, io } = session;
  const errors = failed.map(({ from, error }) => ({ from, error: messageOf(error) }));
  if (json) await jsonLine(io.stdout, { action: "imported", from: path, rows, skipped, failed: errors });
  else {
    for (const { from, why } of skipped) await put(io.stderr, printable(`stowage: skipped ${from}: ${why}`) + "\n");
    for (const { from, error } of errors) await put(io.stderr, printable(`stowage: failed ${from}: ${error}`) + "\n");
    await put(io.stdout, printable(`imported ${pluralize(rows, "row")} from ${path}`) + "\n");
  }
  if (failed.length > 0) session.exitCode = 1;
}
