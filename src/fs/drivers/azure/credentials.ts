/** Access tokens, by Azure's own library. */
import type { TokenCredential } from "@azure/identity";
import { failure } from "../../../errors.js";
import type { AccessToken } from "../../driver/cached-credentials.js";
import type { AzureCredentials } from "./connection.js";

type Library = typeof import("@azure/identity");

/** An identity that must sign in to get a token. */
export type Identity = Exclude<AzureCredentials, { kind: "anonymous" | "sas" | "shared-key" }>;

export const SCOPE = "https://storage.azure.com/.default";

/** Returns the token issuer of `identity`. Loads `@azure/identity`. */
export async function issuerOf(identity: Identity): Promise<(forceRefresh: boolean) => Promise<AccessToken>> {
  const library = await load();
  let credential = credentialOf(library, identity);
  return async (forceRefresh) => {
    // A credential returns its cached token until expiry, refused or not; a new one asks again.
    if (forceRefresh) credential = credentialOf(library, identity);
    const grant = await credential.getToken(SCOPE).catch(throwCredentialsError);
    if (!grant) throw failure("Unauthenticated", "Azure gave no access token");
    return { token: grant.token, expiresAt: grant.expiresOnTimestamp };
  };
}

async function load(): Promise<Library> {
  try {
    return await import("@azure/identity");
  } catch (cause) {
    const why =
      "Azure identities need a package: npm install @azure/identity; an account key or a SAS needs none: " +
      "AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN, or account_key or sas_token of a connection";
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
    case "default":
      return chain(library, identity);
  }
}

function chain(library: Library, identity: Extract<Identity, { kind: "default" }>): TokenCredential {
  const { managedIdentityClientId, workloadIdentityClientId, workloadIdentityTenantId: tenantId } = identity;
  return new library.DefaultAzureCredential({
    ...(managedIdentityClientId !== undefined && { managedIdentityClientId }),
    ...(workloadIdentityClientId !== undefined && { workloadIdentityClientId }),
    ...(tenantId !== undefined && { tenantId }),
  });
}

function hostOf(authority: string | undefined): { authorityHost?: string } {
  return authority === undefined ? {} : { authorityHost: authority };
}

/** Keeps only the first line, the reason: the library's errors may carry the exchange with the identity service. */
export function throwCredentialsError(error: unknown): never {
  const { name = "Error", message = "", errors = [] } = error as Partial<Error> & { errors?: readonly Error[] };
  const tried = errors.map((one) => /\w+Credential\b/.exec(one.message)?.[0]).filter(Boolean);
  const reason = `${name}: ${message.split("\n")[0]!.slice(0, 300)}`;
  throw failure(
    "Unauthenticated",
    `no token from Azure: ${reason}${tried.length > 0 ? ` Tried: ${tried.join(", ")}` : ""}`,
  );
}
