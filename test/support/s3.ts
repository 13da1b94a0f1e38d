/** The S3 driver opened on a test server's connection record. */
import { resolveConnections } from "../../src/connections/index.js";
import { openS3 } from "../../src/fs/drivers/s3/open.js";
import { SHARED, TestDriver } from "./test-driver.js";

interface Record_ {
  type: string;
  login?: string;
  password?: string;
  extra: Record<string, unknown>;
}

/** `extra` is laid over the record's own; `login` and `password` may be taken away with it. */
export async function openDriver(
  bucket: string,
  record: Record_,
  extra: Record<string, unknown> = {},
  keys: { login?: string; password?: string } = record,
): Promise<TestDriver> {
  const { login, password } = keys;
  const input = { type: record.type, extra: { ...record.extra, ...extra }, ...(login ? { login, password } : {}) };
  const connection = await resolveConnections({ it: input }, {}).get("it");
  return new TestDriver(await openS3(bucket, connection, SHARED));
}
