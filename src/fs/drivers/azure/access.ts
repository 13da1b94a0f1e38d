/** What makes a request acceptable: a signature, a SAS, a token, or nothing. */
import type { AzureCredentials } from "../../../connections/options/azure-credentials.js";
import { type SharedKeyRequest, sharedKey } from "../../sign/azure.js";
import { Token } from "../../token.js";
import { issuerOf } from "./identity.js";

export interface Access {
  /** The `Authorization` header of a request; undefined where none is sent. */
  authorize(request: SharedKeyRequest): string | undefined | Promise<string | undefined>;
  /** Goes with every query: encoded, without `?`. */
  readonly query: string;
  /** The account's key, which alone can sign for others. */
  readonly key: Uint8Array | undefined;
  /** Whether a request that was refused with this header can be sent again with another. */
  renew(refused: string): Promise<boolean>;
}

const NOTHING: Access = { authorize: () => undefined, query: "", key: undefined, renew: async () => false };

/** Loads `@azure/identity` only where somebody must sign in. */
export async function accessOf(account: string, credentials: AzureCredentials): Promise<Access> {
  switch (credentials.kind) {
    case "anonymous":
      return NOTHING;
    case "sas":
      return { ...NOTHING, query: credentials.token.reveal() };
    case "shared-key": {
      const key = Buffer.from(credentials.key.reveal(), "base64");
      return { ...NOTHING, authorize: (request) => sharedKey(account, key, request), key };
    }
    default: {
      const token = new Token(await issuerOf(credentials));
      return { ...NOTHING, authorize: () => bearer(token), renew: (refused) => token.renew(refused.slice(BEARER)) };
    }
  }
}

const BEARER = "Bearer ".length;

function bearer(token: Token): string | Promise<string> {
  const current = token.current();
  return current instanceof Promise ? current.then((text) => `Bearer ${text}`) : `Bearer ${current}`;
}
