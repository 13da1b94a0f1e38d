/** What an `aws` connection and the environment say about S3. Pure: no file, no request, no package. */
import { invalid } from "../../errors.js";
import type { Connection } from "../connection.js";
import type { Env } from "../source.js";
import { endpointIn, endpointOf, isBelow } from "./endpoint.js";
import { FieldReader } from "./fields.js";
import { AMAZON, checkKind, checkNoAddress } from "./record.js";
import { readClientConfig, type S3Transfer } from "./s3-client.js";
import type { S3Credentials } from "./s3-credentials.js";
import { readAdditional, type S3Encryption } from "./s3-encryption.js";
import { s3Credentials } from "./s3-keys.js";

const PROVIDERS = ["aws", "minio", "r2", "ceph", "b2", "versitygw", "seaweedfs", "rclone", "generic"] as const;

/** Which dialect of S3 the endpoint speaks. */
export type S3Provider = (typeof PROVIDERS)[number];

export interface S3Options extends S3Transfer {
  readonly provider: S3Provider;
  /** Undefined when nobody says it: then the profile's, else `us-east-1`. */
  readonly region: string | undefined;
  /** Without a trailing slash; undefined for AWS's own of the region. */
  readonly endpoint: string | undefined;
  /** `auto`: the bucket is in the host where its name allows that, else in the path. */
  readonly addressing: "path" | "virtual" | "auto";
  readonly credentials: S3Credentials;
  /** Whether certificates are checked; text is the path of a file with the authorities to check them by. */
  readonly verify: boolean | string;
  readonly requesterPays: boolean;
  readonly encryption: S3Encryption | undefined;
}

/**
 * The options of the S3 driver. Without a connection: the environment and AWS's default chain.
 * A field that is wrong fails with InvalidArgument, one that cannot be honoured with Unsupported; both are named.
 */
export function s3Options(connection: Connection | undefined, env: Env): S3Options {
  const extra = readerOf(connection);
  const session = extra.object("session_kwargs");
  const client = readClientConfig(extra.object("config_kwargs"));
  const services = readServices(extra.object("service_config"));
  const common = endpointIn(extra, "endpoint_url");
  const endpoint = services.s3 ?? common ?? endpointOfEnv(env, "S3");
  const provider = extra.oneOf("provider", PROVIDERS) ?? providerOf(endpoint);
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

/** What Airflow ignores although it says where the data is or who asks. */
const UNREAD = {
  host: "is not read; write endpoint_url",
  profile: "is not read; write profile_name",
  s3_config_file: "is not read; write the keys into the connection, or profile_name",
  s3_config_format: "is not read; write the keys into the connection, or profile_name",
  aws_account_id: "is not read; write role_arn",
  aws_iam_role: "is not read; write role_arn",
};

/** The schema and a host that is a plain word name a bucket in older connections; ours comes from the path. */
function readerOf(connection: Connection | undefined): FieldReader {
  if (!connection) return new FieldReader("the default connection", {});
  checkKind(connection, AMAZON);
  checkNoAddress(connection, "the extra field endpoint_url");
  const extra = FieldReader.of(connection);
  for (const [name, why] of Object.entries(UNREAD)) extra.unsupported(name, why);
  return extra;
}

/** Services other than S3 and STS do not matter here. */
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

function providerOf(endpoint: string | undefined): S3Provider {
  if (endpoint === undefined) return "aws";
  return DOMAINS.find(([, domain]) => isBelow(endpoint, domain))?.[0] ?? "generic";
}

function regionIn(fields: FieldReader): string | undefined {
  return fields.text("region_name");
}

/** The region of an AWS or B2 host is part of its name; R2 knows only `auto`. */
function regionOf(provider: S3Provider, endpoint: string | undefined, env: Env): string | undefined {
  const named = env.AWS_REGION || env.AWS_DEFAULT_REGION || undefined;
  if (provider === "r2") return "auto";
  if (provider !== "aws" && provider !== "b2") return named ?? "us-east-1";
  return (
    (endpoint && /(?:^|\.)s3[.-](?:dualstack\.)?([a-z]+(?:-[a-z0-9]+)+)\./.exec(new URL(endpoint).host)?.[1]) || named
  );
}

/** The first region that is said. It becomes a part of host names. */
function checkedRegion(said: readonly (string | undefined)[]): string | undefined {
  const region = said.find((name) => name !== undefined);
  if (region === undefined || /^[a-z0-9-]{1,64}$/i.test(region)) return region;
  throw invalid("the region (region_name, else AWS_REGION) is not a name of letters, digits and -");
}
