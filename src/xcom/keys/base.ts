/** The base path, and paths below it. */
import { isInstance } from "../../brand.js";
import { providerOf, StoragePath } from "../../path.js";
import { MAX_PATH_BYTES } from "./layout.js";

/** Returns a path that may be given as text. */
export function asPath(path: StoragePath | string): StoragePath {
  return isInstance<StoragePath>(path, "StoragePath") ? path : StoragePath.parse(path);
}

/** Returns the base path as references print it: Azure's other schemes become `abfs`, which stock Airflow opens. */
export function printedBase(path: StoragePath | string): StoragePath {
  const base = asPath(path);
  const { scheme, connectionId, bucket, key } = base;
  if (providerOf(scheme) !== "azure" || scheme === "abfs" || scheme === "abfss") return base;
  return StoragePath.of({ scheme: "abfs", connectionId, bucket, key });
}

/** Returns the maximum bytes of a path below `base`, so that both together fit into an S3 key. Airflow's own rule. */
export function roomBelow(base: StoragePath): number {
  return MAX_PATH_BYTES - Buffer.byteLength(String(base), "utf8") - 1;
}

/** Returns the prefix of the keys below a path. */
export function prefixOf({ key }: StoragePath): string {
  return key === "" ? "" : `${key}/`;
}

/** Returns the path below the base. */
export function pathBelow(base: StoragePath, below: string): StoragePath {
  const { scheme, connectionId, bucket } = base;
  return StoragePath.of({ scheme, connectionId, bucket, key: prefixOf(base) + below });
}

/** Returns the prefix of the texts of paths below the base. */
export function startBelow(base: StoragePath): string {
  const text = String(base);
  return text.endsWith("/") ? text : `${text}/`;
}

/** Returns the rest of a path's text after the base; undefined for a path that is not below it. */
export function restBelow(base: StoragePath, text: string): string | undefined {
  const start = startBelow(base);
  return text.startsWith(start) ? text.slice(start.length) : undefined;
}
