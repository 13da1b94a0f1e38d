/** The Azure driver opened on a connection record. */
import { type ConnectionInput, resolveConnections } from "../../src/connections/index.js";
import { openAzure } from "../../src/fs/drivers/azure/open.js";
import { Seam, SHARED } from "./seam.js";

/** `extra` is laid over the record's own. */
export async function openDriver(
  bucket: string,
  record: { type: string; extra: Record<string, unknown> },
  extra: Record<string, unknown> = {},
): Promise<Seam> {
  const input: ConnectionInput = { ...record, extra: { ...record.extra, ...extra } };
  const connection = await resolveConnections({ it: input }, {}).get("it");
  return new Seam(await openAzure(bucket, connection, SHARED));
}
