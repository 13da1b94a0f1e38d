/** Describes the connection's and environment's settings for one provider, without secrets. */
import type { Connection } from "../../connections/index.js";
import { type AzureCredentials, type AzureOptions, azureOptions } from "../../fs/drivers/azure/connection.js";
import { type GcsCredentials, type GcsOptions, gcsOptions } from "../../fs/drivers/gcs/connection.js";
import { awsProfileName, envWithAwsProfile } from "../../fs/drivers/s3/aws-profile.js";
import { type S3Options, s3Options } from "../../fs/drivers/s3/connection.js";
import type { S3Credentials } from "../../fs/drivers/s3/connection-credentials.js";
import type { Provider, StoragePath } from "../../path.js";

type Env = Readonly<Record<string, string | undefined>>;

interface Library {
  name: string;
  instead: string;
}

const LIBRARIES: Readonly<Record<"s3" | "gs" | "azure", Library>> = {
  s3: {
    name: "@aws-sdk/credential-providers",
    instead: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write login and password into the connection",
  },
  gs: { name: "google-auth-library", instead: "use a public bucket with is_anonymous in the connection" },
  azure: {
    name: "@azure/identity",
    instead:
      "set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, or write account_key or sas_token into the connection",
  },
};

export interface Settings {
  /** The source of the credentials. */
  credentials: string;
  /** The package that finds these credentials, and what to do without it; undefined if they need none. */
  library: Library | undefined;
  /** Address, region and similar settings. */
  place: string;
  /** The protection of data in transit. */
  checksums: string;
  endpoint: string;
  /** The profile of an S3 service. */
  profile?: string;
  /** Whether certificates are verified; text is the path of a file with the trusted authorities. */
  verify: boolean | string;
}

/**
 * Returns the settings. Throws InvalidArgument or Unsupported, naming the field, if the connection cannot be honoured.
 */
export async function settingsOf(
  provider: Provider | undefined,
  { bucket }: StoragePath,
  connection: Connection | undefined,
  env: Env,
): Promise<Settings | undefined> {
  if (provider === "s3") return ofS3(connection, env, await envWithAwsProfile(connection, env));
  if (provider === "gs") return ofGcs(gcsOptions(connection, env));
  if (provider === "azure") return ofAzure(azureOptions(connection, env), bucket);
  return undefined;
}

/** @param completed the environment with the settings of the profile */
function ofS3(connection: Connection | undefined, env: Env, completed: Env): Settings {
  const options = s3Options(connection, completed);
  const { provider, addressing, verify, credentials } = options;
  const region = options.region ?? "us-east-1";
  const endpoint = options.endpoint ?? `https://s3.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
  const style = { path: "bucket in the path", virtual: "bucket in the host", auto: "bucket in the host or path" };
  return {
    credentials: `${s3Words(credentials)}, ${sourceOf(options, connection, env)}`,
    library: ["static", "anonymous"].includes(credentials.kind) ? undefined : LIBRARIES.s3,
    place: `${endpoint}${endpointSource(options, connection, env)}, region ${region} ${regionSource(connection, env, completed)}, provider ${provider}, ${style[addressing]}${unverified(verify)}`,
    checksums: checksumWords(options),
    profile: provider,
    endpoint,
    verify,
  };
}

/** A region that no variable changes comes from the connection, or from the address. */
function regionSource(connection: Connection | undefined, env: Env, completed: Env): string {
  if (s3Options(connection, { ...completed, AWS_REGION: "another" }).region !== "another") return "from the connection";
  const variable = ["AWS_REGION", "AWS_DEFAULT_REGION"].find((name) => env[name]);
  if (variable) return `from ${variable}`;
  return completed.AWS_REGION ? fromProfile(connection, env) : "by default";
}

/** Returns the source of an endpoint that is not the connection's, as ` from …`. */
function endpointSource({ endpoint }: S3Options, connection: Connection | undefined, env: Env): string {
  if (endpoint === undefined || endpoint === s3Options(connection, keysOnly(env)).endpoint) return "";
  const variable = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].find((name) => env[name]);
  return ` ${variable ? `from ${variable}` : fromProfile(connection, env)}`;
}

function keysOnly({ AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY }: Env): Env {
  return { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY };
}

function fromProfile(connection: Connection | undefined, env: Env): string {
  return `from the profile ${JSON.stringify(awsProfileName(connection, env))}`;
}

/**
 * A connection without credentials falls back to the environment: the connection's own settings reveal which was used.
 */
function sourceOf({ credentials }: S3Options, connection: Connection | undefined, env: Env): string {
  if (credentials.kind === "default") return "looked up by AWS's own library";
  const alone = connection && s3Options(connection, { AWS_ENDPOINT_URL_STS: env.AWS_ENDPOINT_URL_STS }).credentials;
  return alone?.kind === credentials.kind ? "from the connection" : "from the environment";
}

function s3Words(credentials: S3Credentials): string {
  switch (credentials.kind) {
    case "static":
      return credentials.sessionToken ? "an access key with a session token" : "an access key";
    case "profile":
      return `the profile ${JSON.stringify(credentials.name)}`;
    case "web-identity":
      return `the role ${credentials.roleArn}, by web identity`;
    case "assume-role":
      return `the role ${credentials.roleArn}, assumed by ${s3Words(credentials.source)}`;
    case "anonymous":
      return "none: requests are not signed";
    case "default":
      return "AWS's default chain";
  }
}

/** Providers whose servers accept CRC32 in requests, unless the connection disables it. */
const CHECKSUMMING: readonly S3Options["provider"][] = ["aws", "minio"];

function checksumWords({ provider, requestChecksum, responseChecksum }: S3Options): string {
  const usual = CHECKSUMMING.includes(provider) ? "when_supported" : "when_required";
  const [sent, checked] = [requestChecksum ?? usual, responseChecksum ?? usual].map(
    (said) => said === "when_supported",
  );
  const writes = sent ? "writes carry CRC32" : "writes carry no CRC32";
  const reads = `${sent === checked ? "and" : "but"} reads check ${checked ? "it" : "none"}`;
  const why = requestChecksum || responseChecksum ? "as config_kwargs say" : `the default for ${provider}`;
  return `${writes}, ${reads}; ${why}`;
}

function ofGcs({ credentials, endpoint = "https://storage.googleapis.com", project }: GcsOptions): Settings {
  return {
    credentials: gcsWords(credentials),
    library: credentials.kind === "anonymous" ? undefined : LIBRARIES.gs,
    place: `${endpoint}, ${project ? `project ${project}` : "project of the credentials"}`,
    checksums: LENGTHS,
    endpoint,
    verify: true,
  };
}

function gcsWords(credentials: GcsCredentials): string {
  switch (credentials.kind) {
    case "keyfile":
      return "a key file, from the connection";
    case "key-path":
      return `the key file ${credentials.path}`;
    case "oidc":
      return `a federated identity of ${credentials.issuerUrl}`;
    case "impersonation":
      return `the service account ${credentials.target}, by way of ${gcsWords(credentials.source)}`;
    case "anonymous":
      return "none: requests are not signed";
    case "adc":
      return "Application Default Credentials, looked up by Google's own library";
  }
}

function ofAzure({ account, endpoint, credentials, encryptionScope }: AzureOptions, container: string): Settings {
  const scope = encryptionScope ? `, encryption scope ${encryptionScope}` : "";
  return {
    credentials: azureWords(credentials),
    library: ["shared-key", "sas", "anonymous"].includes(credentials.kind) ? undefined : LIBRARIES.azure,
    place: `${endpoint}, account ${account}, container ${container}${scope}`,
    checksums: LENGTHS,
    endpoint,
    verify: true,
  };
}

function azureWords(credentials: AzureCredentials): string {
  switch (credentials.kind) {
    case "shared-key":
      return "the account's key";
    case "sas":
      return "a shared access signature";
    case "service-principal":
      return `the service principal ${credentials.clientId} of tenant ${credentials.tenantId}`;
    case "managed-identity":
      return `the managed identity ${credentials.clientId}`;
    case "workload-identity":
      return `the workload identity ${credentials.clientId}`;
    case "anonymous":
      return "none: requests are not signed";
    case "default":
      return "DefaultAzureCredential, looked up by Azure's own library";
  }
}

const LENGTHS = "lengths are checked both ways; the bytes are guarded by TLS";

function unverified(verify: boolean | string): string {
  if (verify === false) return ", certificates are NOT checked";
  return verify === true ? "" : `, certificates checked by ${verify}`;
}
