/** Which credentials sign requests to Azure. */
import type { Connection } from "../connection.js";
import type { Secret } from "../secret.js";
import type { Env } from "../source.js";
import { isBelow } from "./endpoint.js";
import type { FieldReader } from "./fields.js";
import { refused } from "./record.js";

export type AzureCredentials =
  /** The account's key, in base64. */
  | { readonly kind: "shared-key"; readonly key: Secret }
  /** Without `?`. */
  | { readonly kind: "sas"; readonly token: Secret }
  | {
      readonly kind: "service-principal";
      readonly tenantId: string;
      readonly clientId: string;
      readonly clientSecret: Secret;
      /** With `https://`; undefined for the public cloud's. */
      readonly authority: string | undefined;
      readonly additionalTenants: readonly string[];
    }
  | { readonly kind: "managed-identity"; readonly clientId: string }
  | {
      readonly kind: "workload-identity";
      readonly tenantId: string;
      readonly clientId: string;
      /** Undefined for the path that the environment says. */
      readonly tokenFile: string | undefined;
      readonly authority: string | undefined;
    }
  /** The chain of Azure's own library, with the identities that it is to take. */
  | {
      readonly kind: "default";
      readonly managedIdentityClientId: string | undefined;
      readonly workloadIdentityClientId: string | undefined;
      readonly workloadIdentityTenantId: string | undefined;
    }
  | { readonly kind: "anonymous" };

/** Azure's own chain without a named identity. */
export const DEFAULT_CHAIN: AzureCredentials = {
  kind: "default",
  managedIdentityClientId: undefined,
  workloadIdentityClientId: undefined,
  workloadIdentityTenantId: undefined,
};

export interface CredentialFacts {
  readonly connection: Connection;
  readonly extra: FieldReader;
  readonly env: Env;
  readonly tenant: string | undefined;
  readonly sas: Secret | undefined;
  readonly endpoint: string;
}

/** The credentials that the fields say; more than one kind is refused. Anonymous only when asked. */
export function azureCredentials(facts: CredentialFacts): AzureCredentials {
  const anonymous = facts.extra.flag("anon") === true;
  const stated = [principal(facts), sharedKey(facts), sasOf(facts), identityOf(facts)];
  const [first, second] = stated.filter((found) => found !== undefined);
  if (anonymous) return { kind: "anonymous" };
  if (first && second)
    throw refused(facts.connection, `it has credentials of two kinds, ${first.kind} and ${second.kind}`);
  return first ?? DEFAULT_CHAIN;
}

/** With a tenant, login and password are a client's id and secret; without one, the password is the account's key. */
function principal({ connection, extra, tenant, endpoint }: CredentialFacts): AzureCredentials | undefined {
  const config = extra.object("client_secret_auth_config");
  const stated = config.text("authority");
  const additionalTenants = config.list("additionally_allowed_tenants") ?? [];
  config.done();
  if (tenant === undefined) return undefined;
  const { login: clientId, password: clientSecret } = connection;
  if (!clientId || !clientSecret?.reveal()) {
    throw refused(connection, "with tenant_id, login and password must be the client's id and secret");
  }
  const authority = stated === undefined ? authorityOf(endpoint) : `https://${stated.replace(/^https:\/\//, "")}`;
  return { kind: "service-principal", tenantId: tenant, clientId, clientSecret, authority, additionalTenants };
}

/** Sovereign clouds have their own log-in. */
function authorityOf(endpoint: string): string | undefined {
  if (isBelow(endpoint, "usgovcloudapi.net")) return "https://login.microsoftonline.us";
  return isBelow(endpoint, "chinacloudapi.cn") ? "https://login.chinacloudapi.cn" : undefined;
}

function sharedKey({ connection, extra, tenant }: CredentialFacts): AzureCredentials | undefined {
  const stated = extra.secret("account_key");
  const { password } = connection;
  const key = stated ?? (tenant === undefined && password?.reveal() ? password : undefined);
  return key && { kind: "shared-key", key };
}

function sasOf({ sas }: CredentialFacts): AzureCredentials | undefined {
  return sas && { kind: "sas", token: sas };
}

/** One identity is asked for by itself; a managed and a workload identity together steer the default chain. */
function identityOf(facts: CredentialFacts): AzureCredentials | undefined {
  const managed = facts.extra.text("managed_identity_client_id");
  const client = facts.extra.text("workload_identity_client_id");
  const tenant = facts.extra.text("workload_identity_tenant_id");
  const isWorkload = client !== undefined || tenant !== undefined;
  if (managed === undefined) return isWorkload ? workload(facts, client, tenant) : undefined;
  if (!isWorkload) return { kind: "managed-identity", clientId: managed };
  const identities = { managedIdentityClientId: managed, workloadIdentityClientId: client };
  return { kind: "default", ...identities, workloadIdentityTenantId: tenant };
}

function workload(
  { connection, env, endpoint }: CredentialFacts,
  client: string | undefined,
  tenant: string | undefined,
): AzureCredentials {
  const [tenantId, clientId] = [tenant ?? env.AZURE_TENANT_ID, client ?? env.AZURE_CLIENT_ID];
  if (!tenantId || !clientId) throw refused(connection, "a workload identity needs its client id and tenant id");
  const tokenFile = env.AZURE_FEDERATED_TOKEN_FILE || undefined;
  return { kind: "workload-identity", tenantId, clientId, tokenFile, authority: authorityOf(endpoint) };
}
