// The location of an example's objects: the store that the environment names, else a temporary folder.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const folder = () => String(pathToFileURL(mkdtempSync(join(tmpdir(), "stowage-example-"))));

/** The base path: `s3://store@bucket/…`; the connection `store` is in the environment. */
export const base = process.env.XCOM_PATH ?? folder();
/** A base path in another bucket, under the connection `other`. */
export const otherBase = process.env.XCOM_OTHER_PATH ?? folder();
