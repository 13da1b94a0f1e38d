/** Google Cloud Storage. */
import type { Storage } from "@google-cloud/storage";
import { gcsOptions } from "../../../connections/index.js";
import { type OpenDriver, withOwnCredentials } from "../../driver/driver.js";
import { gcsDriver } from "./driver.js";
import { connect, isGoogle, openServer } from "./open.js";
import { ClientApi, clientDriver, clientTokens } from "./sdk.js";

/**
 * Opens a bucket of Google Cloud Storage. The etag of an object is its generation, and so is its version.
 * Everything but anonymous access needs the package `google-auth-library`.
 */
export const openGcs: OpenDriver = async (bucket, connection, shared) => {
  const options = gcsOptions(connection, shared.env);
  return gcsDriver(await openServer(bucket, options, shared.env), shared);
};

/**
 * Opens buckets through a client of `@google-cloud/storage`, with its credentials, interceptors and retries, whatever
 * connection a path names; reads have its credentials only. An aborted request is not taken back by the client: a write
 * of up to 8 MiB that was under way may still be stored.
 *
 * @example openStorage({ drivers: { gs: fromGoogleStorage(new Storage()) } })
 */
export function fromGoogleStorage(
  client: Storage,
  { payer, kmsKeyName }: { payer?: string; kmsKeyName?: string } = {},
): OpenDriver {
  return withOwnCredentials(async (bucket, _connection, shared) => {
    const { hostname, pathname } = new URL(client.apiEndpoint);
    const base = pathname.replace(/\/+$/, "");
    const place = { bucket, base, payer, kmsKeyName, google: isGoogle(hostname) };
    const tokens = clientTokens(client, place.google);
    const reads = await connect(client.apiEndpoint, place, tokens, shared.env);
    return clientDriver(client, new ClientApi(client, place), reads, shared);
  });
}
