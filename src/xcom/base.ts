/** The base path, and paths below it. */
import { providerOf, StoragePath } from "../path.js";
import { MAX_PATH_BYTES } from "./coordinate.js";

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
