/** The kinds of credentials that sign requests to S3. */

import { type Connection, Secret } from "../../../connections/connection.js";
import { connectionError, type FieldReader, withoutLineEnd } from "../../../connections/fields.js";
import type { Env } from "../../../connections/sources.js";
import { invalid } from "../../../errors.js";

export interface StaticKeys {
  readonly kind: "static";
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  readonly sessionToken: Secret | undefined;
}

/** The source of a web identity's token; `google` is the instance's own metadata server. */
export type IdentityToken =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "google"; readonly audience: string; readonly host: string };

/** A request to STS. */
export interface RoleRequest {
  readonly roleArn: string;
  readonly sessionName: string;
  readonly durationSeconds: number | undefined;
  /** JSON text. */
  readonly policy: string | undefined;
  readonly policyArns: readonly string[];
  /** Undefined for AWS's own STS in the region. */
  readonly stsEndpoint: string | undefined;
  readonly region: string | undefined;
}

/** Parameters specific to AssumeRole. */
export interface AssumeRole extends RoleRequest {
  readonly kind: "assume-role";
  readonly source: BaseCredentials;
  readonly externalId: string | undefined;
  readonly sourceIdentity: string | undefined;
  readonly tags: readonly { readonly key: string; readonly value: string }[];
  readonly transitiveTagKeys: readonly string[];
  readonly mfa: { readonly serialNumber: string; readonly tokenCode: Secret } | undefined;
}

export interface WebIdentity extends RoleRequest {
  readonly kind: "web-identity";
  readonly token: IdentityToken;
}

/** Credentials that need no others: `default` is the chain of AWS's own library. */
export type BaseCredentials =
  | StaticKeys
  | { readonly kind: "profile"; readonly name: string }
  | { readonly kind: "default" }
  | WebIdentity;

export type S3Credentials = BaseCredentials | AssumeRole | { readonly kind: "anonymous" };

// The credentials of a connection and the environment.

/** Returns the connection's credentials, else those of the environment. Anonymous only on request. */
export function s3Credentials(facts: CredentialFacts): S3Credentials {
  const [keys, profile] = [statedKeys(facts), statedProfile(facts)];
  const source = keys ?? profile ?? (facts.anonymous ? undefined : keysOfEnv(facts)) ?? { kind: "default" };
  const role = readRole(facts, source);
  return facts.anonymous ? { kind: "anonymous" } : (role ?? source);
}

interface Pair {
  readonly id: string | undefined;
  readonly secret: Secret | undefined;
  readonly token: Secret | undefined;
}

/** Airflow's order: login and password, then the extra's pair, then the one in `session_kwargs`. */
function statedKeys({ connection, extra, session }: CredentialFacts): StaticKeys | undefined {
  const token = extra.secret("aws_session_token");
  const pairs: Pair[] = [
    { id: withoutLineEnd(connection?.login ?? "") || undefined, secret: filled(connection?.password), token },
    { id: extra.text("aws_access_key_id"), secret: extra.secret("aws_secret_access_key"), token },
    sessionPair(session, token),
  ];
  const whole = pairs.map(keysOf).find((keys) => keys !== undefined);
  if (connection && !whole && pairs.some(({ id, secret }) => id !== undefined || secret !== undefined)) {
    throw connectionError(connection, "it has only half of a key pair; give login and password, or both keys in extra");
  }
  if (connection && !whole && pairs.some((pair) => pair.token)) {
    throw connectionError(connection, "aws_session_token needs the key pair that it belongs to");
  }
  return whole;
}

function sessionPair(session: FieldReader, token: Secret | undefined): Pair {
  session.ignore(["aws_account_id"]);
  session.unsupported("botocore_session", "is an object of Python");
  return {
    id: session.text("aws_access_key_id"),
    secret: session.secret("aws_secret_access_key"),
    token: session.secret("aws_session_token") ?? token,
  };
}

function filled(secret: Secret | undefined): Secret | undefined {
  const text = secret && withoutLineEnd(secret.reveal());
  return text ? new Secret(text) : undefined;
}

function keysOf({ id, secret, token }: Pair): StaticKeys | undefined {
  if (id === undefined || secret === undefined) return undefined;
  return { kind: "static", accessKeyId: id, secretAccessKey: secret, sessionToken: token };
}

function statedProfile({ extra, session }: CredentialFacts): BaseCredentials | undefined {
  const [own, inner] = [extra.text("profile_name"), session.text("profile_name")];
  const name = own ?? inner;
  return name === undefined ? undefined : { kind: "profile", name };
}

/** Returns keys, then `AWS_PROFILE`, then the web identity that EKS gives to a pod. */
function keysOfEnv({ env, sts }: CredentialFacts): BaseCredentials | undefined {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = env;
  const [id, secret, token] = [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN].map(
    (text) => text && withoutLineEnd(text),
  );
  if (id && secret) return keysOf({ id, secret: new Secret(secret), token: token ? new Secret(token) : undefined });
  if (id || secret) {
    throw invalid("environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY come only together");
  }
  if (env.AWS_PROFILE) return { kind: "profile", name: env.AWS_PROFILE };
  const { AWS_ROLE_ARN: roleArn, AWS_WEB_IDENTITY_TOKEN_FILE: path } = env;
  if (!roleArn || !path) return undefined;
  const sessionName = env.AWS_ROLE_SESSION_NAME || "stowage";
  return { ...plainRole(roleArn, sessionName, sts), kind: "web-identity", token: { kind: "file", path } };
}

// The role that a connection assumes, and how.

/** All inputs of the choice. */
interface CredentialFacts {
  readonly connection: Connection | undefined;
  readonly extra: FieldReader;
  readonly session: FieldReader;
  readonly env: Env;
  readonly sts: { readonly endpoint: string | undefined; readonly region: string | undefined };
  readonly anonymous: boolean;
}

const METHODS = ["assume_role", "assume_role_with_saml", "assume_role_with_web_identity"] as const;

/** Returns the role in the fields, assumed by `source` or by a web identity; undefined without a role. */
function readRole(facts: CredentialFacts, source: BaseCredentials): AssumeRole | WebIdentity | undefined {
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

/** Returns an STS request with default values. */
function plainRole(roleArn: string, sessionName: string, sts: CredentialFacts["sts"]): RoleRequest {
  const none = { durationSeconds: undefined, policy: undefined, policyArns: [] };
  return { roleArn, sessionName, ...none, stsEndpoint: sts.endpoint, region: sts.region };
}

/** Returns Airflow's session name with characters replaced that STS refuses; at most 64 characters. */
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

/** Reads boto3's lists of `{ arn }`. */
function arnsOf(more: FieldReader): readonly string[] {
  return records(more, "PolicyArns").map(({ arn }) => {
    if (typeof arn !== "string") throw more.wrong("PolicyArns", "must be a list of { arn }");
    return arn;
  });
}

/** Reads boto3's lists of `{ Key, Value }`. */
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
  // Google's own libraries read the metadata server's address from this variable.
  const host = env.GCE_METADATA_HOST || "metadata.google.internal";
  if (kind === "google" && audience !== undefined) return { kind, audience, host };
  if (kind === undefined) throw extra.wrong(FEDERATION, "must be file or google");
  const missing = kind === "file" ? "assume_role_with_web_identity_token_file" : `${FEDERATION}_audience`;
  throw extra.wrong(missing, "is missing");
}
