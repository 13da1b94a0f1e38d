/** The base path, and paths below it. */
import { isInstance } from "../../brand.js";
import { providerOf, StoragePath } from "../../path.js";
import { MAX_PATH_BYTES } from "./layout.js";

/** A path that may come as text. */
export function asPath(path: StoragePath | string): StoragePath {
  return isInstance<StoragePath>(path, "StoragePath") ? path : StoragePath.parse(path);
}

/** The base path as references print it: Azure's other schemes become `abfs`, which stock Airflow opens. */
export function printedBase(path: StoragePath | string): StoragePath {
  const base = asPath(path);
  const { scheme, connectionId, bucket, key } = base;
  if (providerOf(scheme) !== "azure" || scheme === "abfs" || scheme === "abfss") return base;
  return StoragePath.of({ scheme: "abfs", connectionId, bucket, key });
}

/** Bytes that a path below `base` may have, so that base and path together fit into an S3 key. Airflow's own rule. */
export function roomBelow(base: StoragePath): number {
  return MAX_PATH_BYTES - Buffer.byteLength(String(base), "utf8") - 1;
}

/** How the keys below a path begin. */
export function prefixOf({ key }: StoragePath): string {
  return key === "" ? "" : `${key}/`;
}

/** The path below the base. */
export function pathBelow(base: StoragePath, below: string): StoragePath {
  const { scheme, connectionId, bucket } = base;
  return StoragePath.of({ scheme, connectionId, bucket, key: prefixOf(base) + below });
}

/** How the texts of the paths below the base begin. */
export function startBelow(base: StoragePath): string {
  const text = String(base);
  return text.endsWith("/") ? text : `${text}/`;
}

/** What follows the base in the text of a path; undefined when that is not below it. */
export function restBelow(base: StoragePath, text: string): string | undefined {
  const start = startBelow(base);
  return text.startsWith(start) ? text.slice(start.length) : undefined;
}
