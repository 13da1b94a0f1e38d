/** The options of the backend, and what of them is refused. */
import { failure, type StorageError } from "../errors.js";
import type { Storage } from "../fs/storage.js";
import { StoragePath } from "../path.js";
import { checkCompression, type XComCompression } from "./config.js";
import type { LayoutName } from "./coordinate.js";
import type { Encoding } from "./json/encoding.js";
import { printedBase } from "./reference.js";
import { airflowEncoding, jsonEncoding } from "./serde.js";
import { checkSerializers, type Serializer } from "./serializer.js";

const MAX_DECODED_BYTES = 512 * 1024 * 1024;

export interface XComObjectStorageBackendOptions {
  storage: Storage;
  /** Where objects go: `s3://my_conn@my_bucket/xcom`. */
  path: StoragePath | string;
  /** Values of at least this many bytes of Python's JSON are stored as objects; 0 is all, -1 none. @default -1 */
  threshold?: number | undefined;
  /** @default null */
  compression?: XComCompression | null | undefined;
  /** Where new objects go; both layouts are read. @default "ti", as Airflow 3.4 writes */
  layout?: LayoutName | undefined;
  /** Decoded bytes of an object after which loading fails with TooLarge. @default 512 MiB */
  maxDecodedBytes?: number | undefined;
  /** What a reference to an object that is missing, or that is not JSON, gives: an error, or itself as in Airflow. @default "error" */
  onMissing?: "error" | "reference" | undefined;
  /** `airflow`: Python's types are kept by Airflow's envelopes. `json`: JSON as it is. @default "airflow" */
  encoding?: "airflow" | "json" | undefined;
  /** For values that are not JSON, or not to be stored as JSON; the first whose `test` says so stores a value. */
  serializers?: readonly Serializer[] | undefined;
}

/** The options with their defaults, checked. */
export interface Settings {
  path: StoragePath;
  threshold: number;
  compression: XComCompression | null;
  layout: LayoutName;
  maxDecodedBytes: number;
  onMissing: "error" | "reference";
  encoding: Encoding;
  serializers: readonly Serializer[];
}

/** InvalidArgument, with the mend, for options that make no backend. */
export function checkOptions(options: XComObjectStorageBackendOptions): Settings {
  const { threshold = -1, compression = null, layout = "ti", onMissing = "error", encoding = "airflow" } = options;
  const { storage, maxDecodedBytes = MAX_DECODED_BYTES } = options;
  if (!storage) refuse("storage is missing; give the one that openStorage() returns");
  if (!Number.isInteger(threshold)) refuse("threshold must be a whole number of bytes, or -1");
  if (!(Number.isSafeInteger(maxDecodedBytes) && maxDecodedBytes > 0))
    refuse("maxDecodedBytes must be an integer above 0");
  return {
    path: checkBase(options.path),
    threshold,
    compression: compression === null ? null : checkCompression(compression),
    layout: oneOf("layout", layout, ["ti", "uuid"]),
    maxDecodedBytes,
    onMissing: oneOf("onMissing", onMissing, ["error", "reference"]),
    encoding: oneOf("encoding", encoding, ["airflow", "json"]) === "json" ? jsonEncoding : airflowEncoding,
    serializers: checkSerializers(options.serializers ?? []),
  };
}

function checkBase(path: StoragePath | string): StoragePath {
  if (!path) refuse("path is missing; give one such as s3://my_conn@my_bucket/xcom");
  const base = printedBase(path instanceof StoragePath ? path : StoragePath.parse(path));
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

function refuse(detail: string): never {
  throw failure("InvalidArgument", detail) satisfies StorageError;
}
