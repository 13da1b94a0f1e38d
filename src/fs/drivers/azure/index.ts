/** Azure Blob Storage on the thin transport, and on the official client. The first loads nothing of the second. */
import type { BlobServiceClient } from "@azure/storage-blob";
import { type OpenDriver, withOwnCredentials } from "../../driver/driver.js";
import { Gate } from "../../driver/sdk-transport.js";
import { type SdkService, sdkDriver } from "./sdk.js";

/** Requests in flight; the pipeline itself has no limit. */
const CONNECTIONS = 256;

export { openAzure } from "./open.js";

/**
 * Opens containers through a client of `@azure/storage-blob`, with its credentials, pipeline and retries, whatever
 * connection a path names. What is written is encrypted in `encryptionScope`, if there is one.
 *
 * @example openStorage({ drivers: { abfs: fromBlobServiceClient(BlobServiceClient.fromConnectionString(text)) } })
 */
export function fromBlobServiceClient(
  client: BlobServiceClient,
  { encryptionScope }: { encryptionScope?: string } = {},
): OpenDriver {
  const service = client as unknown as SdkService;
  const gate = new Gate(() => CONNECTIONS);
  return withOwnCredentials((bucket, _connection, shared) => sdkDriver(service, gate, bucket, encryptionScope, shared));
}
