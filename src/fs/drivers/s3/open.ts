/** S3 and what speaks like it, as a connection says: no package is needed with keys that are written down. */
import { s3Options } from "../../../connections/options/s3.js";
import type { OpenDriver } from "../../driver.js";
import { USUAL_REGION } from "./client.js";
import { keySource } from "./credentials.js";
import { openBucket } from "./driver.js";
import { prepared } from "./prepare.js";

/** Opens the driver of an S3 bucket. InvalidArgument or Unsupported when the connection cannot be honoured. */
export const openS3: OpenDriver = async (name, connection, shared) => {
  const options = s3Options(connection, shared.env);
  return openBucket(
    name,
    await prepared(options),
    keySource(options.credentials, options.region ?? USUAL_REGION),
    shared,
  );
};
