/** Which role a connection wants to be assumed, and how. */
import type { Connection } from "../connection.js";
import type { Env } from "../source.js";
import type { FieldReader } from "./fields.js";
import type { AssumeRole, BaseCredentials, IdentityToken, RoleRequest, WebIdentity } from "./s3-credentials.js";

/** Everything that the choice depends on. */
export interface CredentialFacts {
  readonly connection: Connection | undefined;
  readonly extra: FieldReader;
  readonly session: FieldReader;
  readonly env: Env;
  readonly sts: { readonly endpoint: string | undefined; readonly region: string | undefined };
  readonly anonymous: boolean;
}

const METHODS = ["assume_role", "assume_role_with_saml", "assume_role_with_web_identity"] as const;

/** The role that the fields ask for, assumed by `source` or by a web identity; undefined when they ask for none. */
export function readRole(facts: CredentialFacts, source: BaseCredentials): AssumeRole | WebIdentity | undefined {
  const { extra } = facts;
  const method = extra.oneOf("assume_role_method", METHODS) ?? "assume_role";
  extra.unsupported("assume_role_with_saml", "is not supported");
  if (method === "assume_role_with_saml") throw extra.wrong("assume_role_method", "is SAML's", "Unsupported");
  const roleArn = extra.text("role_arn");
  const hasMore = extra.has("assume_role_kwargs");
  const more = extra.object("assume_role_kwargs");
  const externalId = extra.text("external_id");
  const token = method === "assume_role_with_web_identity" ? identityToken(facts) : undefined;
  if (roleArn === undefined) return noRole(facts, hasMore || externalId !== undefined || token !== undefined);
  if (!roleArn.startsWith("arn:")) throw extra.wrong("role_arn", "must start with arn:");
  const request = roleRequest(facts, roleArn, more);
  const role = token ? webIdentity(request, token) : assumeRole(request, source, more, externalId);
  more.done();
  return role;
}

function webIdentity(request: RoleRequest, token: IdentityToken): WebIdentity {
  return { ...request, kind: "web-identity", token };
}

function noRole({ extra }: CredentialFacts, asked: boolean): undefined {
  if (asked) throw extra.wrong("role_arn", "is missing, but other fields say how to assume a role");
  return undefined;
}

function roleRequest({ connection, sts }: CredentialFacts, roleArn: string, more: FieldReader): RoleRequest {
  return {
    ...plainRole(roleArn, more.text("RoleSessionName") ?? sessionNameOf(connection?.id ?? ""), sts),
    durationSeconds: more.integer("DurationSeconds", 900),
    policy: more.text("Policy"),
    policyArns: arnsOf(more),
  };
}

/** What STS is asked for when nothing more is said. */
export function plainRole(roleArn: string, sessionName: string, sts: CredentialFacts["sts"]): RoleRequest {
  const none = { durationSeconds: undefined, policy: undefined, policyArns: [] };
  return { roleArn, sessionName, ...none, stsEndpoint: sts.endpoint, region: sts.region };
}

/** Airflow's name of the session, with what STS refuses replaced; at most 64 characters. */
function sessionNameOf(id: string): string {
  return `Airflow_${id}`.replace(/[^\w+=,.@-]+/g, "_").slice(0, 64);
}

function assumeRole(
  request: RoleRequest,
  source: BaseCredentials,
  more: FieldReader,
  externalId: string | undefined,
): AssumeRole {
  return {
    ...request,
    kind: "assume-role",
    source,
    externalId: more.text("ExternalId") ?? externalId,
    sourceIdentity: more.text("SourceIdentity"),
    tags: tagsOf(more),
    transitiveTagKeys: more.list("TransitiveTagKeys") ?? [],
    mfa: mfaOf(more),
  };
}

function mfaOf(more: FieldReader): AssumeRole["mfa"] {
  const [serialNumber, tokenCode] = [more.text("SerialNumber"), more.secret("TokenCode")];
  if (serialNumber === undefined && tokenCode === undefined) return undefined;
  if (serialNumber !== undefined && tokenCode !== undefined) return { serialNumber, tokenCode };
  throw more.wrong("SerialNumber", "and TokenCode come only together");
}

/** boto3's lists of `{ arn }`. */
function arnsOf(more: FieldReader): readonly string[] {
  return records(more, "PolicyArns").map(({ arn }) => {
    if (typeof arn !== "string") throw more.wrong("PolicyArns", "must be a list of { arn }");
    return arn;
  });
}

/** boto3's lists of `{ Key, Value }`. */
function tagsOf(more: FieldReader): AssumeRole["tags"] {
  return records(more, "Tags").map(({ Key: key, Value: value }) => {
    if (typeof key !== "string" || typeof value !== "string")
      throw more.wrong("Tags", "must be a list of { Key, Value }");
    return { key, value };
  });
}

function records(more: FieldReader, name: string): Record<string, unknown>[] {
  const value = more.json(name);
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw more.wrong(name, "must be a list");
  return value.map((item) => Object(item) as Record<string, unknown>);
}

const FEDERATION = "assume_role_with_web_identity_federation";

function identityToken({ extra, env }: CredentialFacts): IdentityToken {
  const kind = extra.oneOf(FEDERATION, ["file", "google"]);
  const path = extra.text("assume_role_with_web_identity_token_file") || env.AWS_WEB_IDENTITY_TOKEN_FILE;
  const audience = extra.text(`${FEDERATION}_audience`);
  if (kind === "file" && path) return { kind, path };
  // The variable by which Google's own libraries are told of another metadata server.
  const host = env.GCE_METADATA_HOST || "metadata.google.internal";
  if (kind === "google" && audience !== undefined) return { kind, audience, host };
  if (kind === undefined) throw extra.wrong(FEDERATION, "must be file or google");
  const missing = kind === "file" ? "assume_role_with_web_identity_token_file" : `${FEDERATION}_audience`;
  throw extra.wrong(missing, "is missing");
}
