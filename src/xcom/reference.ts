/** Which strings of a metadata row are references to objects. */
import { failure } from "../errors.js";
import { providerOf, StoragePath, schemesOf } from "../path.js";
import { isOwned, MAX_PATH_BYTES, type Owner, type Place, readPlace } from "./coordinate.js";

/** The base path as references print it: Azure's other schemes become `abfs`, which stock Airflow opens. */
export function printedBase(base: StoragePath): StoragePath {
  const { scheme, connectionId, bucket, key } = base;
  if (providerOf(scheme) !== "azure" || scheme === "abfs" || scheme === "abfss") return base;
  return StoragePath.of({ scheme: "abfs", connectionId, bucket, key });
}

/** Bytes that a path below `base` may have, so that base and path together fit into an S3 key. Airflow's own rule. */
export function roomBelow(base: StoragePath): number {
  return MAX_PATH_BYTES - Buffer.byteLength(String(base), "utf8") - 1;
}

/** The path below the base. */
export function pathBelow(base: StoragePath, below: string): StoragePath {
  const { scheme, connectionId, bucket, key } = base;
  return StoragePath.of({ scheme, connectionId, bucket, key: key === "" ? below : `${key}/${below}` });
}

/**
 * The object that a row refers to; undefined when what it holds is a value.
 *
 * A reference has scheme, connection, bucket and path of the base, and below it one of the layouts. InvalidArgument
 * when only the connection is another, PermissionDenied when `owner` is given and the object is another's.
 */
export function readReference(stored: unknown, base: StoragePath, owner?: Owner | undefined): StoragePath | undefined {
  if (typeof stored !== "string") return undefined;
  const found = below(stored, String(base));
  const place = found === undefined ? undefined : readPlace(found);
  if (found === undefined || !place) return checkConnection(stored, base);
  const path = pathBelow(base, found);
  if (owner) checkOwned(place, owner, base, path);
  return path;
}

function below(stored: string, base: string): string | undefined {
  const start = base.endsWith("/") ? base : `${base}/`;
  return stored.startsWith(start) ? stored.slice(start.length) : undefined;
}

function checkOwned(place: Place, owner: Owner, base: StoragePath, path: StoragePath): void {
  if (isOwned(place, owner, roomBelow(base))) return;
  const detail = `the reference ${path} is of ${place.owner}, not of ${owner.dagId}/${owner.runId}/${owner.taskId}`;
  throw failure("PermissionDenied", detail);
}

/** The same path under another connection is surely a reference, but not one that these credentials are for. */
function checkConnection(stored: string, base: StoragePath): undefined {
  const start = `${base.scheme}://`;
  const slash = stored.indexOf("/", start.length);
  if (!stored.startsWith(start) || slash < 0) return;
  const at = stored.lastIndexOf("@", slash);
  const id = at < start.length ? undefined : stored.slice(start.length, at);
  if (id === base.connectionId) return;
  const bare = start + stored.slice(at < start.length ? start.length : at + 1);
  const { scheme, bucket, key } = base;
  const rest = below(bare, String(StoragePath.of({ scheme, bucket, key })));
  if (rest === undefined || !readPlace(rest)) return;
  const theirs = id === undefined ? "no connection" : `the connection ${JSON.stringify(id)}`;
  const mend = `give the backend the path ${start}${id === undefined ? "" : `${id}@`}${bucket}/${key} to read it`;
  throw failure("InvalidArgument", `the reference is of ${theirs}, this backend's base is ${base}; ${mend}`);
}

/**
 * Whether Airflow would take this string for a reference: scheme of the same provider, then bucket and base path, then
 * the end or a slash. It looks at neither connection nor layout.
 */
export function airflowTakesForReference(text: string, base: StoragePath): boolean {
  // What Python's urlsplit drops before it looks.
  const cleaned = text.replace(/^[\0-\x20]+/, "").replace(/[\t\r\n]/g, "");
  const colon = cleaned.indexOf(":");
  const scheme = cleaned.slice(0, Math.max(0, colon)).toLowerCase();
  if (!schemesAlike(scheme, base.scheme)) return false;
  const rest = cleaned.slice(colon + 1).replace(/^\/+/, "");
  const end = rest.search(/[/?#]|$/);
  const target = rest.slice(rest.lastIndexOf("@", end) + 1).replace(/^\/+/, "");
  const wanted = [base.bucket, base.key].filter((part) => part !== "").join("/");
  return target.startsWith(wanted) && (target.length === wanted.length || target[wanted.length] === "/");
}

function schemesAlike(scheme: string, other: string): boolean {
  const provider = providerOf(other);
  return scheme === other || (provider !== undefined && schemesOf(provider).includes(scheme));
}
