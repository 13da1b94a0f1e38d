/** Google Cloud Storage. */
import { gcsOptions } from "../../../connections/options/index.js";
import type { OpenDriver } from "../../driver.js";
import { gcsDriver } from "./driver.js";
import { openServer } from "./open.js";

/**
 * Opens a bucket of Google Cloud Storage. The etag of an object is its generation, and so is its version.
 * Everything but anonymous access needs the package `google-auth-library`.
 */
export const openGcs: OpenDriver = async (bucket, connection, shared) => {
  const options = gcsOptions(connection, shared.env);
  return gcsDriver(await openServer(bucket, options, shared.env), shared);
};
