import { invalid } from "../../../errors.js";
import type { DriverContext, OpenDriver } from "../../driver/driver.js";
import { openHttp, originOf } from "../../http/client.js";
import type { ServiceProtocol } from "../../http/types.js";
import { type ObjectLocation, Server } from "./client.js";
import { type GcsOptions, gcsOptions } from "./connection.js";
import { openTokens, type Tokens } from "./credentials.js";
import { gcsDriver } from "./driver.js";
import { explain, passes } from "./errors.js";

export const GOOGLE = "https://storage.googleapis.com";

/** Opens the driver of a bucket. Throws InvalidArgument or Unsupported for a connection that it cannot honour. */
export const openGcs: OpenDriver = async (bucket, connection, context) => {
  const options = gcsOptions(connection, context.env);
  return gcsDriver(await openServer(bucket, options, context), context);
};

/** Signs in and prepares the transport; sends no request yet, unless the credentials must name the billed project. */
export async function openServer(
  bucket: string,
  options: GcsOptions,
  context: Connecting,
  google?: boolean,
): Promise<Server> {
  const { endpoint = GOOGLE, kmsKeyName, attempts } = options;
  const { hostname, base } = originOf(endpoint);
  const tokens = await openTokens(options);
  const payer = await payerOf(options, tokens);
  const place = { bucket, base, payer, kmsKeyName, google: google ?? isGoogle(hostname) };
  return connect(endpoint, place, tokens, context, attempts);
}

type Connecting = Pick<DriverContext, "env" | "observe" | "openSockets">;

/** Opens the bucket at `endpoint` on this library's transport. */
export async function connect(
  endpoint: string,
  place: ObjectLocation,
  tokens: Tokens,
  { env, observe, openSockets }: Connecting,
  maxAttempts?: number,
): Promise<Server> {
  const origin = originOf(endpoint);
  const service: ServiceProtocol = {
    parseError: (_status, headers, text) => explain(headers, text),
    isRetryable: passes,
    // Only signed URLs contain a time here; a refused token says nothing about the clock.
    aboutTime: ({ code }) => code === "RequestTimeTooSkewed",
  };
  const http = await openHttp({ protocol: origin.protocol, service, maxAttempts, env, observe, openSockets });
  return new Server(place, http, origin, tokens);
}

async function payerOf(options: GcsOptions, tokens: Tokens): Promise<string | undefined> {
  if (!options.requesterPays) return undefined;
  const payer = options.billingProject ?? options.project ?? (await tokens.project());
  if (payer) return payer;
  throw invalid("gcs.requester-pays needs a project: name it there or in the field project");
}

/** Returns whether the host is Google's own service, including its private and restricted addresses. */
function isGoogle(hostname: string): boolean {
  return hostname.endsWith(".googleapis.com");
}

/** Returns the location of a bucket at an endpoint that no connection has named. */
export function placeOf(
  bucket: string,
  endpoint: string,
  { payer, kmsKeyName }: { payer?: string | undefined; kmsKeyName?: string | undefined },
): ObjectLocation {
  const { hostname, base } = originOf(endpoint);
  return { bucket, base, payer, kmsKeyName, google: isGoogle(hostname) };
}
