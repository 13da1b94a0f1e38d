/** Reads S3 settings from an `aws` connection and the environment. Pure: no file, no request, no package. */

import { type Connection, Secret } from "../../../connections/connection.js";
import {
  AMAZON,
  checkKind,
  checkNoAddress,
  endpointIn,
  endpointOf,
  FieldReader,
  isBelow,
} from "../../../connections/fields.js";
import type { Env } from "../../../connections/sources.js";
import { invalid, suggestion } from "../../../errors.js";
import { type S3Credentials, s3Credentials } from "./connection-credentials.js";

const PROVIDERS = ["aws", "minio", "r2", "ceph", "b2", "versitygw", "seaweedfs", "rclone", "generic"] as const;

/** The endpoint's dialect of S3. */
export type S3Provider = (typeof PROVIDERS)[number];

export interface S3Options extends S3Transfer {
  readonly provider: S3Provider;
  /** Undefined if not configured: then `us-east-1`. */
  readonly region: string | undefined;
  /** Without a trailing slash; undefined for AWS's own endpoint in the region. */
  readonly endpoint: string | undefined;
  /** `auto`: the bucket is in the host if its name allows that, else in the path. */
  readonly addressing: "path" | "virtual" | "auto";
  readonly credentials: S3Credentials;
  /** Whether certificates are verified; text is the path of a file with the trusted authorities. */
  readonly verify: boolean | string;
  readonly requesterPays: boolean;
  readonly encryption: S3Encryption | undefined;
}

/**
 * Returns the options of the S3 driver. Without a connection: the environment and AWS's default chain. Throws
 * InvalidArgument for an invalid field, Unsupported for one that cannot be honoured; both name the field.
 */
export function s3Options(connection: Connection | undefined, env: Env): S3Options {
  const extra = readerOf(connection);
  const session = extra.object("session_kwargs");
  const client = readClientConfig(extra.object("config_kwargs"));
  const services = readServices(extra.object("service_config"));
  const common = endpointIn(extra, "endpoint_url");
  const own = services.s3 ?? common;
  const endpoint = own ?? endpointOfEnv(env, "S3");
  const provider =
    extra.oneOf("provider", PROVIDERS) ?? (own === undefined ? providerOfEnv(env) : undefined) ?? providerOf(endpoint);
  const region = checkedRegion([regionIn(extra), regionIn(session), client.region, regionOf(provider, endpoint, env)]);
  const sts = { endpoint: services.sts ?? endpointOfEnv(env, "STS"), region };
  const anonymous = extra.flag("anon") === true || client.anonymous;
  const options: S3Options = {
    provider,
    region,
    endpoint,
    addressing: client.addressing ?? (endpoint === undefined ? "auto" : "path"),
    credentials: s3Credentials({ connection, extra, session, env, sts, anonymous }),
    verify: extra.flagOrText("verify") ?? true,
    ...client.transfer,
    ...readAdditional(extra),
  };
  session.done();
  extra.done();
  return options;
}

/** Fields that Airflow ignores although they affect where the data is or which identity is used. */
const UNREAD = {
  host: "is not read; write endpoint_url",
  profile: "is not read; write profile_name",
  s3_config_file: "is not read; write the keys into the connection, or profile_name",
  s3_config_format: "is not read; write the keys into the connection, or profile_name",
  aws_account_id: "is not read; write role_arn",
  aws_iam_role: "is not read; write role_arn",
};

/** In older connections the schema, or a host that is a plain word, names a bucket; ours comes from the path. */
function readerOf(connection: Connection | undefined): FieldReader {
  if (!connection) return new FieldReader("the default connection", {});
  checkKind(connection, AMAZON);
  checkNoAddress(connection, "the extra field endpoint_url");
  const extra = FieldReader.of(connection, ["aws", "s3"]);
  for (const [name, why] of Object.entries(UNREAD)) extra.unsupported(name, why);
  return extra;
}

/** Services other than S3 and STS are irrelevant here. */
function readServices(services: FieldReader): Record<"s3" | "sts", string | undefined> {
  const [s3, sts] = [services.object("s3"), services.object("sts")];
  for (const name of ["signer", "signer_uri", "signer_token"]) s3.unsupported(name, "is a remote signer");
  s3.unsupported("proxy-uri", "is not read; proxies are Node's: set HTTPS_PROXY and NODE_USE_ENV_PROXY=1");
  s3.ignore(["bucket_name"]); // the bucket comes from the path
  const found = { s3: endpointIn(s3, "endpoint_url"), sts: endpointIn(sts, "endpoint_url") };
  s3.done();
  sts.done();
  return found;
}

function endpointOfEnv(env: Env, service: "S3" | "STS"): string | undefined {
  if (env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS?.toLowerCase() === "true") return undefined;
  const name = [`AWS_ENDPOINT_URL_${service}`, "AWS_ENDPOINT_URL"].find((variable) => env[variable]) ?? "";
  const text = env[name];
  return text ? endpointOf(text, (why) => invalid(`environment: ${name} ${why}`)) : undefined;
}

const DOMAINS: readonly (readonly [S3Provider, string])[] = [
  ["aws", "amazonaws.com"],
  ["aws", "amazonaws.com.cn"],
  ["aws", "api.aws"],
  ["r2", "r2.cloudflarestorage.com"],
  ["b2", "backblazeb2.com"],
];

/** The kind of the server that the environment names; of no use for the endpoint of a connection. */
function providerOfEnv(env: Env): S3Provider | undefined {
  const text = env.STOWAGE_S3_PROVIDER?.toLowerCase();
  const found = PROVIDERS.find((name) => name === text);
  if (!text || found) return found;
  throw invalid(
    `environment: STOWAGE_S3_PROVIDER must be one of ${PROVIDERS.join(", ")}${suggestion(text, PROVIDERS)}`,
  );
}

function providerOf(endpoint: string | undefined): S3Provider {
  if (endpoint === undefined) return "aws";
  return DOMAINS.find(([, domain]) => isBelow(endpoint, domain))?.[0] ?? "generic";
}

function regionIn(fields: FieldReader): string | undefined {
  return fields.text("region_name");
}

/** The region is part of an AWS or B2 host's name; R2 knows only `auto`. */
function regionOf(provider: S3Provider, endpoint: string | undefined, env: Env): string | undefined {
  const named = env.AWS_REGION || env.AWS_DEFAULT_REGION || undefined;
  if (provider === "r2") return "auto";
  if (provider !== "aws" && provider !== "b2") return named ?? "us-east-1";
  return (
    (endpoint && /(?:^|\.)s3[.-](?:dualstack\.)?([a-z]+(?:-[a-z0-9]+)+)\./.exec(new URL(endpoint).host)?.[1]) || named
  );
}

/** Returns the first configured region. It becomes a part of host names. */
function checkedRegion(said: readonly (string | undefined)[]): string | undefined {
  const region = said.find((name) => name !== undefined);
  if (region === undefined || /^[a-z0-9-]{1,64}$/i.test(region)) return region;
  throw invalid("the region (region_name, else AWS_REGION) is not a name of letters, digits and -");
}

// `config_kwargs`: the settings of botocore's Config, as far as they affect S3 transfers.

const CHECKSUMS = ["when_supported", "when_required"] as const;

export interface S3ClientConfig {
  /** Whether requests are unsigned. */
  readonly anonymous: boolean;
  readonly region: string | undefined;
  readonly addressing: "path" | "virtual" | undefined;
  readonly transfer: S3Transfer;
}

/** Transfer settings; undefined for the driver's default. */
export interface S3Transfer {
  /** Maximum attempts per request, including the first. */
  readonly attempts: number | undefined;
  /** In milliseconds. */
  readonly connectTimeout: number | undefined;
  /** Milliseconds without receiving a byte. */
  readonly readTimeout: number | undefined;
  /** Maximum open sockets. */
  readonly connections: number | undefined;
  readonly requestChecksum: (typeof CHECKSUMS)[number] | undefined;
  readonly responseChecksum: (typeof CHECKSUMS)[number] | undefined;
}

/** Fields without effect here. docs/credentials.md has the reasons. */
const IGNORED = [
  ...["user_agent", "user_agent_extra", "user_agent_appid", "parameter_validation", "tcp_keepalive"],
  ...["inject_host_prefix", "endpoint_discovery_enabled", "disable_request_compression"],
  ...["request_min_compression_size_bytes", "ignore_configured_endpoint_urls", "defaults_mode"],
];

const UNSUPPORTED = {
  proxies: "is not read; proxies are Node's: set HTTPS_PROXY and NODE_USE_ENV_PROXY=1",
  proxies_config: "is not read; proxies are Node's: set HTTPS_PROXY and NODE_USE_ENV_PROXY=1",
  client_cert: "is not supported",
  use_dualstack_endpoint: "is not supported; write the dual-stack address into endpoint_url",
  use_fips_endpoint: "is not supported; write the FIPS address into endpoint_url",
  sigv4a_signing_region_set: "is not supported: requests are signed with SigV4",
  client_context_params: "is not supported",
};

function readClientConfig(config: FieldReader): S3ClientConfig {
  const s3 = config.object("s3");
  const style = s3.oneOf("addressing_style", ["path", "virtual", "auto"]);
  s3.unsupported("use_accelerate_endpoint", "is not supported");
  s3.ignore(["payload_signing_enabled", "us_east_1_regional_endpoint"]);
  s3.done();
  const found = {
    anonymous: isUnsigned(config),
    region: config.text("region_name"),
    addressing: style === "auto" ? undefined : style,
    transfer: readTransfer(config),
  };
  for (const [name, why] of Object.entries(UNSUPPORTED)) config.unsupported(name, why);
  config.ignore(IGNORED);
  config.done();
  return found;
}

function isUnsigned(config: FieldReader): boolean {
  const version = config.text("signature_version");
  if (version !== undefined && !/^(unsigned|v4|s3v4|s3v4-query)$/.test(version)) {
    throw config.wrong("signature_version", "must be s3v4 or unsigned", "Unsupported");
  }
  return version === "unsigned";
}

function readTransfer(config: FieldReader): S3Transfer {
  return {
    attempts: readAttempts(config.object("retries")),
    connectTimeout: milliseconds(config.number("connect_timeout")),
    readTimeout: milliseconds(config.number("read_timeout")),
    connections: config.integer("max_pool_connections", 1),
    requestChecksum: config.oneOf("request_checksum_calculation", CHECKSUMS),
    responseChecksum: config.oneOf("response_checksum_validation", CHECKSUMS),
  };
}

/** botocore's `max_attempts` excludes the first try; `total_max_attempts` includes it and takes precedence. */
function readAttempts(retries: FieldReader): number | undefined {
  const total = retries.integer("total_max_attempts", 1);
  const more = retries.integer("max_attempts");
  retries.oneOf("mode", ["legacy", "standard", "adaptive"]);
  retries.done();
  return total ?? (more === undefined ? undefined : more + 1);
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.round(seconds * 1000);
}

// `s3_additional_kwargs`: parameters of each S3 object, under the names of s3fs and boto3.

/** Server-side encryption of new objects. */
export type S3Encryption =
  | { readonly kind: "s3" }
  | {
      readonly kind: "kms";
      readonly algorithm: "aws:kms" | "aws:kms:dsse";
      /** Undefined for the account's own key. */
      readonly keyId: string | undefined;
      readonly bucketKey: boolean | undefined;
    }
  /** The customer's own key of 32 bytes, as base64. Reads also need it. */
  | { readonly kind: "c"; readonly key: Secret };

function readAdditional(extra: FieldReader): { requesterPays: boolean; encryption: S3Encryption | undefined } {
  const more = extra.object("s3_additional_kwargs");
  const payer = more.oneOf("RequestPayer", ["requester"]) !== undefined;
  const [own, managed] = [customerKey(more), managedKey(more)];
  if (own && managed) throw more.wrong("SSECustomerKey", "and ServerSideEncryption exclude each other");
  more.done();
  return { requesterPays: payer || extra.flag("requester_pays") === true, encryption: own ?? managed };
}

function managedKey(more: FieldReader): S3Encryption | undefined {
  const algorithm = more.oneOf("ServerSideEncryption", ["aes256", "aws:kms", "aws:kms:dsse"]);
  const keyId = more.text("SSEKMSKeyId");
  const bucketKey = more.flag("BucketKeyEnabled");
  if (algorithm === "aws:kms" || algorithm === "aws:kms:dsse") return { kind: "kms", algorithm, keyId, bucketKey };
  if (keyId !== undefined) throw more.wrong("SSEKMSKeyId", "needs ServerSideEncryption aws:kms");
  if (bucketKey !== undefined) throw more.wrong("BucketKeyEnabled", "needs ServerSideEncryption aws:kms");
  return algorithm && { kind: "s3" };
}

function customerKey(more: FieldReader): S3Encryption | undefined {
  const algorithm = more.oneOf("SSECustomerAlgorithm", ["aes256"]);
  const text = more.text("SSECustomerKey");
  more.ignore(["SSECustomerKeyMD5"]); // computed from the key
  if (text === undefined && algorithm === undefined) return undefined;
  const key = text === undefined ? undefined : keyBytes(text);
  if (key?.length !== 32) throw more.wrong("SSECustomerKey", "must be 32 bytes, as they are or in base64");
  if (more.has("ServerSideEncryption"))
    throw more.wrong("SSECustomerKey", "and ServerSideEncryption exclude each other");
  return { kind: "c", key: new Secret(key.toString("base64")) };
}

function keyBytes(text: string): Buffer {
  const raw = Buffer.from(text, "utf8");
  return raw.length === 32 ? raw : Buffer.from(text, "base64");
}
