import type { GcsOptions } from "../../../connections/options/index.js";
import { failure } from "../../../errors.js";
import type { Shared } from "../../driver.js";
import { type Origin, openHttp, originOf } from "../../http.js";
import { explain, passes } from "./dialect.js";
import { Server } from "./server.js";
import { openTokens, type Tokens } from "./tokens.js";

const GOOGLE = "https://storage.googleapis.com";

/** Signs in and gets the transport ready; sends no request yet, unless the credentials must say which project pays. */
export async function openServer(
  bucket: string,
  options: GcsOptions,
  env: Shared["env"],
  google?: boolean,
): Promise<Server> {
  const { endpoint = GOOGLE, kmsKeyName, attempts } = options;
  const origin = originOf(endpoint);
  const tokens = await openTokens(options);
  const http = await openHttp({
    protocol: origin.protocol,
    dialect: {
      explain: (_status, headers, text) => explain(headers, text),
      transient: passes,
    },
    tries: attempts,
    env,
  });
  const payer = await payerOf(options, tokens);
  return new Server({ bucket, http, origin, tokens, payer, kmsKeyName, google: google ?? isGoogle(origin) });
}

async function payerOf(options: GcsOptions, tokens: Tokens): Promise<string | undefined> {
  if (!options.requesterPays) return undefined;
  const payer = options.billingProject ?? options.project ?? (await tokens.project());
  if (payer) return payer;
  throw failure("InvalidArgument", "gcs.requester-pays needs a project: name it there or in the field project");
}

/** Google's own service, also by its private and restricted addresses. */
function isGoogle({ hostname }: Origin): boolean {
  return hostname.endsWith(".googleapis.com");
}
