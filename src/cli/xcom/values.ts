/** Stores and loads values through the XCom backend. */

import { XComObjectStorageBackend } from "../../backend.js";
import { invalid, isStorageError } from "../../errors.js";
import { StoragePath } from "../../path.js";
import {
  airflowEncoding,
  type Env,
  jsonBytes,
  type LayoutName,
  objectForm,
  placeOf,
  type ReadAliases,
  readJson,
  SETTING,
  type StoredLocation,
  settingsFromEnv,
  type XComCompression,
  type XComSettings,
} from "../../xcom/index.js";
import type { Session } from "../command.js";
import { input, jsonLine, printable, put } from "../format.js";

export type { StoredLocation } from "../../xcom/index.js";

/** The backend's codecs, in the order of the help. */
export const XCOM_CODECS: readonly XComCompression[] = ["zip", "gzip", "bz2", "lzma", "xz", "lz4", "zstd"];

export interface PushOptions extends BackendOptions {
  dag: string;
  run: string;
  task: string;
  key: string;
  ti?: string;
  layout: LayoutName;
}

/** Stores the JSON of a file or of stdin, and prints the row's content. */
export async function push(session: Session, file: string, options: PushOptions): Promise<void> {
  const { storage, signal } = session;
  const backend = new XComObjectStorageBackend({ ...settingsOf(session, options), storage, layout: options.layout });
  const { dag: dagId, run: runId, task: taskId, ti: tiId, key } = options;
  const value = await readJson(await input(session.io, file), airflowEncoding, signal).catch((error) => {
    if (!isStorageError(error, "Corrupt")) throw error;
    throw invalid(`what comes in is not JSON: ${error.detail}`).at("xcom push", file);
  });
  const stored = await backend.storeValue({ dagId, runId, taskId, tiId }, key, value, { signal });
  await jsonLine(session.io.stdout, session.json ? { action: "pushed", stored } : stored);
}

/** Prints the value of a reference as JSON. */
export async function pull(session: Session, references: string[]): Promise<void> {
  session.endsWithReader();
  const { signal } = session;
  for (const text of references) {
    const { backend, reference } = referred(session, text);
    const value = await backend.loadValue(reference, { signal });
    await printedValue(session, value);
  }
}

/** Prints a value exactly as it would be stored, including integers of any size and Airflow's envelopes. */
async function printedValue({ io: { stdout }, signal }: Session, value: unknown): Promise<void> {
  for await (const chunk of jsonBytes(value, objectForm(value), airflowEncoding, signal)) await put(stdout, chunk);
  await put(stdout, "\n");
}

/** Deletes the objects of references, and says which were not there. */
export async function purge(session: Session, references: string[]): Promise<void> {
  const found = references.map((text) => referred(session, text));
  for (const { backend, reference } of found) {
    const { storage, signal } = session;
    const isThere = await storage.exists(reference, { signal });
    await backend.purge(reference, { signal });
    if (isThere) await session.say({ action: "purged", reference }, printable(`purged ${reference}`));
    else await session.say({ action: "absent", reference }, printable(`nothing to purge at ${reference}`));
  }
}

/** Returns the reference and a backend for its base: the settings' own, else the one in the reference itself. */
function referred(session: Session, text: string): { backend: XComObjectStorageBackend; reference: string } {
  const { storage, env } = session;
  const place = referredPlace(session.path(text), configuredBase(env));
  return { backend: new XComObjectStorageBackend({ storage, path: place.base }), reference: String(place.path) };
}

// The backend settings for storing values.

interface BackendOptions {
  base?: string;
  threshold?: number;
  compression?: XComCompression;
}

/** Returns the options, else Airflow's settings; a manual store creates an object unless the settings disagree. */
export function settingsOf(session: Session, options: BackendOptions): XComSettings {
  const { env } = session;
  const path = options.base === undefined ? env[SETTING.path] : String(session.path(options.base));
  if (!path) throw invalid(NO_BASE.replace("name a path", "name one by --base"));
  const threshold = options.threshold === undefined ? (env[SETTING.threshold] ?? "0") : String(options.threshold);
  const compression = options.compression ?? env[SETTING.compression];
  const names = { [SETTING.path]: path, [SETTING.threshold]: threshold, [SETTING.compression]: compression };
  return settingsFromEnv(names);
}

// The location of XComs: the settings' base path, or a reference's.

/** Returns the base path of the environment's settings, if any. */
export function configuredBase(env: Env): StoragePath | undefined {
  const text = env[SETTING.path];
  return text ? StoragePath.parse(text) : undefined;
}

const NO_BASE =
  "name a path such as s3://my_conn@my_bucket/xcom, or set AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH to it";

/** Returns the given path, else the configured base, if any. */
export function typedOrBase(session: Session, text: string | undefined): StoragePath | undefined {
  return text === undefined ? configuredBase(session.env) : session.path(text);
}

/** Returns the given path, else the configured base; throws InvalidArgument without either. */
export function pathOrBase(session: Session, text: string | undefined): StoragePath {
  const path = typedOrBase(session, text);
  if (!path) throw invalid(NO_BASE);
  return path;
}

/** Returns the location of a reference; throws InvalidArgument if it has none of the layouts. */
export function referredPlace(path: StoragePath, base: StoragePath | undefined): StoredLocation {
  const place = placeOf(path, base);
  if (place) return place;
  const fix = `to print any object: stowage cat --compression infer ${path}`;
  throw invalid(`this is not an XCom reference: its path has none of Airflow's layouts; ${fix}`);
}

/** Returns the base that an option names, else the setting if the path is below it. */
export function baseOf(session: Session, path: StoragePath, option: string | undefined): StoragePath | undefined {
  if (option !== undefined) return session.path(option);
  const configured = configuredBase(session.env);
  return configured && path.isRelativeTo(configured) ? configured : undefined;
}

/** Returns what `--as` names: `xcom_s3://=s3://lake@bucket/xcom` is an alias, anything else a path. */
export function namesOf(session: Session, texts: readonly string[] = []): { as: StoragePath[]; aliases: ReadAliases } {
  const aliases = texts.flatMap((text) => {
    const [, prefix, path] = /^([^=]*:\/\/[^=]*)=(.*:\/\/.*)$/.exec(text) ?? [];
    return prefix === undefined || path === undefined ? [] : [{ text, prefix, path: session.path(path) }];
  });
  const as = texts.filter((text) => !aliases.some((alias) => alias.text === text));
  return {
    as: as.map((text) => session.path(text)),
    aliases: Object.fromEntries(aliases.map(({ prefix, path }) => [prefix, path])),
  };
}
