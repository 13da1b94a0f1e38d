/** The options of the backend and their checks. */
import type { Abortable, Objects, Storage } from "../fs/index.js";
import type { StoragePath } from "../path.js";
import { airflowEncoding, jsonEncoding } from "./encoding/airflow.js";
import type { Encoding } from "./encoding/encoding.js";
import { refuse } from "./errors.js";
import type { ReadAliases, Serializers, TypeLimits, XComFeatures } from "./features.js";
import { printedBase } from "./keys/base.js";
import type { ExpectedOwner, Owner } from "./keys/layout.js";
import { AIRFLOW_LAYOUTS, type KeyLayout, type LayoutName, tiLayout, uuidLayout } from "./keys/layout.js";
import type { ReferenceRules } from "./reference.js";
import type { Serializer } from "./serializer.js";
import { JSON_ONLY } from "./serializers.js";
import { checkCompression, type XComCompression } from "./settings.js";

/** The three methods of a backend; layers around a backend have the same. */
export interface XComBackend {
  storeValue(owner: Owner, key: string, value: unknown, options?: Abortable): Promise<unknown>;
  loadValue(stored: unknown, options?: LoadOptions): Promise<unknown>;
  purge(stored: unknown, options?: LoadOptions): Promise<boolean>;
}

export interface LoadOptions extends Abortable {
  /** The owner of the row. If given, a reference to another task's object throws PermissionDenied. */
  owner?: ExpectedOwner | undefined;
}

const MAX_DECODED_BYTES = 512 * 1024 * 1024;

export interface XComObjectStorageBackendOptions<S extends Objects = Storage> {
  storage: S;
  /** The base path of the objects: `s3://my_conn@my_bucket/xcom`. */
  path: StoragePath | string;
  /** Values whose Python JSON has at least this many bytes are stored as objects; 0 stores all, -1 none. @default -1 */
  threshold?: number | undefined;
  /** @default null */
  compression?: XComCompression | null | undefined;
  /** The layout of new objects; both layouts are read. @default "ti", as Airflow 3.4 writes */
  layout?: LayoutName | undefined;
  /**
   * Replaces `layout`: the template of new keys, as in
   * `{dag_id}/{run_id}/{task_id}/{map_index}/{key}_data_{uuid}.json`. Each id becomes one segment or a part of one,
   * percent-quoted. Airflow's layouts are read too.
   */
  keyTemplate?: string | undefined;
  /**
   * Prefixes of rows that other XCom classes wrote, with the location of their objects: `{ "xcom_s3://":
   * "s3://my_conn@old_bucket" }`. They are read, never written.
   */
  readAliases?: ReadAliases | undefined;
  /**
   * Whether `purge` and `clear` also delete the targets of `readAliases`. Old names do not identify an owner, so any
   * text with the prefix deletes the object that it names. @default false
   */
  purgeAliases?: boolean | undefined;
  /** Maximum decoded bytes of an object; loading a larger one fails with TooLarge. @default 512 MiB */
  maxDecodedBytes?: number | undefined;
  /**
   * Result of loading a reference whose object is missing or not JSON: an error, or the reference itself as in Airflow.
   * @default "error"
   */
  onMissing?: "error" | "reference" | undefined;
  /** `airflow`: Airflow's envelopes keep Python's types. `json`: plain JSON. @default "airflow" */
  encoding?: "airflow" | "json" | undefined;
  /** For values that are not, or should not be stored as, JSON; the first with a true `test` stores the value. */
  serializers?: readonly Serializer[] | undefined;
  /**
   * The only types, besides JSON's own, that may be stored and loaded: names of Airflow's envelopes
   * (`datetime.datetime`, `my_package.*`) and of serializers, with the wildcards of Airflow's
   * `allowed_deserialization_classes`. @default all
   */
  allowedTypes?: readonly string[] | string | undefined;
  /**
   * Puts `~sha256-` and the digest of the stored bytes into each new name. Reads always verify a digest that a name
   * contains. @default false
   */
  digest?: boolean | undefined;
}

type Options = XComObjectStorageBackendOptions<Objects>;

/** The options with their defaults, checked. */
export interface Settings extends ReferenceRules {
  threshold: number;
  compression: XComCompression | null;
  layout: KeyLayout;
  maxDecodedBytes: number;
  onMissing: "error" | "reference";
  encoding: Encoding;
  serializers: Serializers;
  digest: XComFeatures["digest"] | false;
  /** @internal */
  json: XComFeatures["json"];
}

/** Checks the options. Throws InvalidArgument, with what to do, for invalid ones. */
export function checkOptions(options: Options, features: XComFeatures): Settings {
  const { threshold = -1, compression = null, onMissing = "error", digest = false } = options;
  const { storage, maxDecodedBytes = MAX_DECODED_BYTES, readAliases, serializers, allowedTypes } = options;
  if (!storage) refuse("storage is missing; give what openStorage() returns");
  if (!Number.isInteger(threshold)) refuse("threshold must be a whole number");
  if (!(Number.isSafeInteger(maxDecodedBytes) && maxDecodedBytes > 0))
    refuse("maxDecodedBytes must be an integer above 0");
  const base = checkBase(options.path);
  const layout = layoutOf(options, features);
  const limits = allowedTypes === undefined ? undefined : feature("allowedTypes", features)(allowedTypes);
  if (digest) feature("checkDigest", features)(options);
  return {
    base,
    threshold,
    compression: compression === null ? null : checkCompression(compression),
    layout,
    layouts: [...new Set([layout, ...AIRFLOW_LAYOUTS])],
    purgeAliases: checkPurgeAliases(options),
    readAlias: readAliases && feature("readAliases", features)(readAliases, base),
    maxDecodedBytes,
    onMissing: oneOf("onMissing", onMissing, ["error", "reference"]),
    encoding: encodingOf(options, limits),
    serializers: serializers?.length ? feature("serializers", features)(serializers, limits, threshold) : JSON_ONLY,
    digest: digest && feature("digest", features),
    json: features.json,
  };
}

/** Returns the part that implements the option of this name. */
function feature<K extends keyof XComFeatures>(name: K, features: XComFeatures): NonNullable<XComFeatures[K]> {
  return features[name] ?? refuse(`option ${name} requires the \`${name}\` feature; pass it to the constructor`);
}

function layoutOf({ layout, keyTemplate }: Options, features: XComFeatures): KeyLayout {
  if (keyTemplate === undefined)
    return oneOf("layout", layout ?? "ti", ["ti", "uuid"]) === "ti" ? tiLayout : uuidLayout;
  if (layout !== undefined) refuse("give one of layout and keyTemplate");
  return feature("keyTemplate", features)(keyTemplate);
}

function encodingOf({ encoding = "airflow" }: Options, limits: TypeLimits | undefined): Encoding {
  const chosen = oneOf("encoding", encoding, ["airflow", "json"]) === "json" ? jsonEncoding : airflowEncoding;
  return limits && chosen === airflowEncoding ? limits.restricted(chosen) : chosen;
}

function checkPurgeAliases({ readAliases, purgeAliases = false }: Options): boolean {
  if (typeof purgeAliases === "boolean" && (readAliases || !purgeAliases)) return purgeAliases;
  return refuse("purgeAliases must be true or false, and needs readAliases");
}

function checkBase(path: StoragePath | string): StoragePath {
  if (!path) refuse("path is missing; give one such as s3://my_conn@my_bucket/xcom");
  const base = printedBase(path);
  if (base.key.endsWith("/")) refuse("path must not end in a slash; leave it out");
  if (base.key.split("/").some((segment) => segment === "." || segment === "..")) {
    refuse('path has a segment "." or ".."; write out where it leads');
  }
  return base;
}

function oneOf<T extends string>(name: string, value: T, allowed: readonly T[]): T {
  return allowed.includes(value)
    ? value
    : refuse(`${name} must be ${allowed.join(" or ")}, not ${JSON.stringify(value)}`);
}
