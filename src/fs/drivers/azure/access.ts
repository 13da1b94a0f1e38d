/** What makes a request acceptable: a signature, a SAS, a token, or nothing. */
import type { TokenCredential } from "@azure/identity";
import type { AzureCredentials } from "../../../connections/options/azure-credentials.js";
import { failure } from "../../../errors.js";
import { type SharedKeyRequest, sharedKey } from "../../sign/azure.js";

export interface Access {
  /** The `Authorization` header of a request; undefined where none is sent. */
  authorize(request: SharedKeyRequest): string | undefined | Promise<string | undefined>;
  /** Goes with every query: encoded, without `?`. */
  readonly query: string;
  /** The account's key, which alone can sign for others. */
  readonly key: Uint8Array | undefined;
  /** Gets another token after the current one was refused; whether there is another. */
  renew(): Promise<boolean>;
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
      const tokens = new Tokens(credentialOf(await load(), credentials));
      return { ...NOTHING, authorize: () => tokens.bearer(), renew: () => tokens.renew() };
    }
  }
}

type Library = typeof import("@azure/identity");
type Identity = Exclude<AzureCredentials, { kind: "anonymous" | "sas" | "shared-key" }>;

async function load(): Promise<Library> {
  try {
    return await import("@azure/identity");
  } catch (cause) {
    const why = "Azure identities need the package @azure/identity; an account key or a SAS needs none";
    throw failure("Unsupported", why, { cause });
  }
}

function credentialOf(library: Library, identity: Identity): TokenCredential {
  switch (identity.kind) {
    case "service-principal": {
      const { tenantId, clientId, clientSecret, authority, additionalTenants } = identity;
      const options = { ...hostOf(authority), additionallyAllowedTenants: [...additionalTenants] };
      return new library.ClientSecretCredential(tenantId, clientId, clientSecret.reveal(), options);
    }
    case "managed-identity":
      return new library.ManagedIdentityCredential({ clientId: identity.clientId });
    case "workload-identity": {
      const { tenantId, clientId, tokenFile, authority } = identity;
      const file = tokenFile === undefined ? {} : { tokenFilePath: tokenFile };
      return new library.WorkloadIdentityCredential({ tenantId, clientId, ...file, ...hostOf(authority) });
    }
    case "default": {
      const {
        managedIdentityClientId: managed,
        workloadIdentityClientId: workload,
        workloadIdentityTenantId: tenantId,
      } = identity;
      return new library.DefaultAzureCredential({
        ...(managed === undefined ? {} : { managedIdentityClientId: managed }),
        ...(workload === undefined ? {} : { workloadIdentityClientId: workload }),
        ...(tenantId === undefined ? {} : { tenantId }),
      } as never);
    }
  }
}

function hostOf(authority: string | undefined): { authorityHost?: string } {
  return authority === undefined ? {} : { authorityHost: authority };
}

const SCOPE = "https://storage.azure.com/.default";
/** A token is replaced this many milliseconds before it ends. */
const EARLY = 5 * 60_000;

/** One token for all requests, fetched once for all that wait. */
class Tokens {
  readonly #credential: TokenCredential;
  #header: string | undefined;
  #until = 0;
  #pending: Promise<string> | undefined;

  constructor(credential: TokenCredential) {
    this.#credential = credential;
  }

  bearer(): string | Promise<string> {
    return this.#header !== undefined && Date.now() < this.#until ? this.#header : this.#fetch();
  }

  async renew(): Promise<boolean> {
    const refused = this.#header;
    return (await this.#fetch()) !== refused;
  }

  #fetch(): Promise<string> {
    this.#pending ??= this.#ask().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  async #ask(): Promise<string> {
    const token = await this.#credential.getToken(SCOPE).catch(refused);
    if (!token) throw failure("Unauthenticated", "Azure gave no access token");
    this.#until = token.expiresOnTimestamp - EARLY;
    this.#header = `Bearer ${token.token}`;
    return this.#header;
  }
}

/** The library's errors may carry the exchange with the identity service; the first line is the reason. */
function refused(error: unknown): never {
  const { name = "Error", message = "" } = error as Partial<Error>;
  throw failure("Unauthenticated", `no token from Azure: ${name}: ${message.split("\n")[0]!.slice(0, 300)}`);
}
