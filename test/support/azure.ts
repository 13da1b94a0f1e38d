/** The Azure driver opened on a connection record. */
import { type ConnectionInput, resolveConnections } from "../../src/connections/index.js";
import { openAzure } from "../../src/fs/drivers/azure/open.js";
import { SHARED, TestDriver } from "./test-driver.js";

/** `extra` is laid over the record's own. */
export async function openDriver(
  bucket: string,
  record: { type: string; extra: Record<string, unknown> },
  extra: Record<string, unknown> = {},
): Promise<TestDriver> {
  const input: ConnectionInput = { ...record, extra: { ...record.extra, ...extra } };
  const connection = await resolveConnections({ it: input }, {}).get("it");
  return new TestDriver(await openAzure(bucket, connection, SHARED));
}
