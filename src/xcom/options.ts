/** The options of the backend, and what of them is refused. */
import type { Abortable, Objects, Storage } from "../fs/index.js";
import type { StoragePath } from "../path.js";
import { airflowEncoding, jsonEncoding } from "./encoding/airflow.js";
import type { Encoding } from "./encoding/encoding.js";
import { refuse } from "./errors.js";
import type { ReadAliases, Serializers, TypeLimits, XComFeatures } from "./features.js";
import { printedBase } from "./keys/base.js";
import type { Owner } from "./keys/layout.js";
import { AIRFLOW_LAYOUTS, type KeyLayout, type LayoutName, tiLayout, uuidLayout } from "./keys/layout.js";
import type { ReferenceRules } from "./reference.js";
import type { Serializer } from "./serializer.js";
import { JSON_ONLY } from "./serializers.js";
import { checkCompression, type XComCompression } from "./settings.js";

/** The three methods of a backend; layers around one have the same. */
export interface XComBackend {
  storeValue(owner: Owner, key: string, value: unknown, options?: Abortable): Promise<unknown>;
  loadValue(stored: unknown, options?: LoadOptions): Promise<unknown>;
  purge(stored: unknown, options?: LoadOptions): Promise<boolean>;
}

export interface LoadOptions extends Abortable {
  /** Whose the row is: then a reference to an object of another task is PermissionDenied. */
  owner?: Owner | undefined;
}

const MAX_DECODED_BYTES = 512 * 1024 * 1024;

export interface XComObjectStorageBackendOptions<S extends Objects = Storage> {
  storage: S;
  /** Where objects go: `s3://my_conn@my_bucket/xcom`. */
  path: StoragePath | string;
  /** Values of at least this many bytes of Python's JSON are stored as objects; 0 is all, -1 none. @default -1 */
  threshold?: number | undefined;
  /** @default null */
  compression?: XComCompression | null | undefined;
  /** Where new objects go; both layouts are read. @default "ti", as Airflow 3.4 writes */
  layout?: LayoutName | undefined;
  /**
   * Instead of `layout`: where new objects go, as in `{dag_id}/{run_id}/{task_id}/{map_index}/{key}_data_{uuid}.json`.
   * Each id becomes one segment or a part of one, percent-quoted. Airflow's layouts are read too.
   */
  keyTemplate?: string | undefined;
  /**
   * What rows of other XCom classes begin with, and where their objects are:
   * `{ "xcom_s3://": "s3://my_conn@old_bucket" }`. They are read, never written.
   */
  readAliases?: ReadAliases | undefined;
  /**
   * Whether `purge` and `clear` also delete what a row of `readAliases` leads to. Old names do not say whose an object
   * is, so that any text with the prefix deletes the object that it names. @default false
   */
  purgeAliases?: boolean | undefined;
  /** Decoded bytes of an object after which loading fails with TooLarge. @default 512 MiB */
  maxDecodedBytes?: number | undefined;
  /** What a reference to an object that is missing, or that is not JSON, gives: an error, or itself as in Airflow. @default "error" */
  onMissing?: "error" | "reference" | undefined;
  /** `airflow`: Python's types are kept by Airflow's envelopes. `json`: JSON as it is. @default "airflow" */
  encoding?: "airflow" | "json" | undefined;
  /** For values that are not JSON, or not to be stored as JSON; the first whose `test` says so stores a value. */
  serializers?: readonly Serializer[] | undefined;
  /**
   * The only types, besides JSON's own, that are stored and loaded: names of Airflow's envelopes
   * (`datetime.datetime`, `my_package.*`) and of serializers, with the wildcards of Airflow's
   * `allowed_deserialization_classes`. @default all
   */
  allowedTypes?: readonly string[] | string | undefined;
  /**
   * Puts `~sha256-` and the digest of the stored bytes into each new name. Whether or not it is set, what a name tells
   * is checked when its object is read. @default false
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
  digest: XComFeatures["digest"];
}

/** InvalidArgument, with the mend, for options that make no backend. */
export function checkOptions(options: Options, features: XComFeatures): Settings {
  const { threshold = -1, compression = null, onMissing = "error", digest = false } = options;
  const { storage, maxDecodedBytes = MAX_DECODED_BYTES, readAliases, serializers, allowedTypes } = options;
  if (!storage) refuse("storage is missing; give what openStorage() returns");
  if (!Number.isInteger(threshold)) refuse("threshold must be a whole number of bytes, or -1");
  if (!(Number.isSafeInteger(maxDecodedBytes) && maxDecodedBytes > 0))
    refuse("maxDecodedBytes must be an integer above 0");
  const base = checkBase(options.path);
  const layout = layoutOf(options, features);
  const limits = allowedTypes === undefined ? undefined : feature("allowedTypes", features)(allowedTypes);
  if (digest) checkDigest(options);
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
    digest: digest ? feature("digest", features) : undefined,
  };
}

/** What reads the option of this name. */
function feature<K extends keyof XComFeatures>(name: K, features: XComFeatures): NonNullable<XComFeatures[K]> {
  return features[name] ?? refuse(`option ${name} requires the \`${name}\` feature; pass it to the constructor`);
}

function layoutOf({ layout, keyTemplate }: Options, features: XComFeatures): KeyLayout {
  if (keyTemplate === undefined)
    return oneOf("layout", layout ?? "ti", ["ti", "uuid"]) === "ti" ? tiLayout : uuidLayout;
  if (layout !== undefined) refuse("layout and keyTemplate both say where objects go; leave one out");
  return feature("keyTemplate", features)(keyTemplate);
}

function encodingOf({ encoding = "airflow" }: Options, limits: TypeLimits | undefined): Encoding {
  const chosen = oneOf("encoding", encoding, ["airflow", "json"]) === "json" ? jsonEncoding : airflowEncoding;
  return limits && chosen === airflowEncoding ? limits.restricted(chosen) : chosen;
}

function checkPurgeAliases({ readAliases, purgeAliases = false }: Options): boolean {
  if (typeof purgeAliases !== "boolean") refuse("purgeAliases must be true or false");
  if (purgeAliases && !readAliases) refuse("purgeAliases is set, but there are no readAliases");
  return purgeAliases;
}

function checkDigest({ threshold = -1, keyTemplate }: Options): void {
  if (threshold < 0) refuse("digest is set, but with threshold -1 nothing becomes an object; give a threshold >= 0");
  if (keyTemplate !== undefined && !keyTemplate.includes("{uuid}"))
    refuse("digest needs a name of its own for each value; add {uuid} to keyTemplate");
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
