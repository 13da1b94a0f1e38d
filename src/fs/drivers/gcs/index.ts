/** Google Cloud Storage. */
import { type GcsOptions, gcsOptions } from "../../../connections/options/index.js";
import { failure } from "../../../errors.js";
import type { OpenDriver, Shared } from "../../driver.js";
import { openHttp, originOf } from "../../http.js";
import { explain, passes } from "./dialect.js";
import { gcsDriver } from "./driver.js";
import { Server } from "./server.js";
import { openTokens, type Tokens } from "./tokens.js";

const GOOGLE = "https://storage.googleapis.com";

/**
 * Opens a bucket of Google Cloud Storage. The etag of an object is its generation, and so is its version.
 * Everything but anonymous access needs the package `google-auth-library`.
 */
export const openGcs: OpenDriver = async (bucket, connection, shared) => {
  const options = gcsOptions(connection, shared.env);
  return gcsDriver(await openServer(bucket, options, shared), shared);
};

async function openServer(bucket: string, options: GcsOptions, { env }: Shared): Promise<Server> {
  const { endpoint = GOOGLE, kmsKeyName, attempts } = options;
  const origin = originOf(endpoint);
  const tokens = await openTokens(options);
  const http = await openHttp({
    protocol: origin.protocol,
    dialect: {
      explain: (_status, headers, text) => explain(headers, text),
      transient: passes,
      mend: async ({ status }) => status === 401 && (await tokens.renew()),
    },
    tries: attempts,
    env,
  });
  const google = origin.hostname.endsWith(".googleapis.com");
  return new Server({ bucket, http, origin, tokens, payer: await payerOf(options, tokens), kmsKeyName, google });
}

async function payerOf(options: GcsOptions, tokens: Tokens): Promise<string | undefined> {
  if (!options.requesterPays) return undefined;
  const payer = options.billingProject ?? options.project ?? (await tokens.project());
  if (payer) return payer;
  throw failure("InvalidArgument", "gcs.requester-pays needs a project: name it there or in the field project");
}
