/** What a `google_cloud_platform` connection and the environment say about GCS. Pure: no file, no request, no package. */
import { invalid } from "../../errors.js";
import type { Connection } from "../connection.js";
import type { Env } from "../source.js";
import { endpointIn, endpointOf } from "./endpoint.js";
import { FieldReader } from "./fields.js";
import { type GcsCredentials, gcsCredentials } from "./gcs-credentials.js";
import { checkKind, checkNoAddress, GOOGLE, refused } from "./record.js";

export interface GcsOptions {
  /** Undefined when only the credentials can say it. */
  readonly project: string | undefined;
  /** Without a trailing slash; undefined for Google's own. */
  readonly endpoint: string | undefined;
  readonly credentials: GcsCredentials;
  /** OAuth scopes to ask a token for. */
  readonly scopes: readonly string[];
  readonly requesterPays: boolean;
  /** The project that pays when the requester does; undefined for `project`. */
  readonly billingProject: string | undefined;
  /** The Cloud KMS key that encrypts what is written; undefined for the bucket's. */
  readonly kmsKeyName: string | undefined;
  /** Tries of one request, the first included; undefined leaves it to the driver. */
  readonly attempts: number | undefined;
}

const PREFIX = "extra__google_cloud_platform__";
const CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform";

/** What has no meaning here, and why. */
const IGNORED = {
  "gcs.consistency": "every transfer is verified",
  "gcs.cache-timeout": "listings are not cached",
  "gcs.default-bucket-location": "no bucket is created as a side effect",
  "gcs.version-aware": "versions are asked for call by call",
};

const UNSUPPORTED = {
  key_secret_name: "is not supported; put the key itself into keyfile_dict, or its path into key_path",
  key_secret_project_id: "is not supported; put the key itself into keyfile_dict, or its path into key_path",
  "gcs.oauth2.token": "is not supported; use keyfile_dict or key_path",
  "gcs.oauth2.token-expires-at": "is not supported; use keyfile_dict or key_path",
  quota_project_id: "is not supported; write the project that pays into gcs.requester-pays",
  universe_domain: "is not supported; write the address into gcs.endpoint",
  endpoint_url: "is not read; write gcs.endpoint",
};

/**
 * The options of the GCS driver. Without a connection: Application Default Credentials, and the environment.
 * A field that is wrong fails with InvalidArgument, one that cannot be honoured with Unsupported; both are named.
 */
export function gcsOptions(connection: Connection | undefined, env: Env): GcsOptions {
  const extra = readerOf(connection);
  const { credentials, project } = gcsCredentials(extra);
  const payer = extra.flagOrText("gcs.requester-pays");
  const retries = extra.integer("num_retries");
  const options: GcsOptions = {
    project: projectIn(extra) ?? project ?? (env.GOOGLE_CLOUD_PROJECT || env.GCLOUD_PROJECT || undefined),
    endpoint: endpointIn(extra, "gcs.endpoint") ?? endpointOfEnv(env),
    credentials,
    scopes: scopesOf(extra),
    requesterPays: payer !== undefined && payer !== false,
    billingProject: typeof payer === "string" ? payer : undefined,
    kmsKeyName: extra.text("kms_key_name"),
    attempts: retries === undefined ? undefined : retries + 1,
  };
  extra.done();
  return options;
}

function readerOf(connection: Connection | undefined): FieldReader {
  if (!connection) return new FieldReader("the default connection", {});
  checkKind(connection, GOOGLE);
  checkNoAddress(connection, "the extra field gcs.endpoint");
  if (connection.password?.reveal())
    throw refused(connection, "its password is not read; use keyfile_dict or key_path");
  const extra = FieldReader.of(connection, PREFIX);
  for (const [name, why] of Object.entries(UNSUPPORTED)) extra.unsupported(name, why);
  extra.ignore(Object.keys(IGNORED));
  checkSession(extra.object("gcs.session-kwargs"));
  return extra;
}

/** Node looks for proxies in the environment by its own settings, so `trust_env` says nothing new. */
function checkSession(session: FieldReader): void {
  session.ignore(["trust_env"]);
  session.done();
}

function projectIn(extra: FieldReader): string | undefined {
  const [own, older] = [extra.text("project"), extra.text("gcs.project-id")];
  return own ?? older;
}

/** The address that Google's own libraries take for an emulator; it may lack `http://`. */
function endpointOfEnv(env: Env): string | undefined {
  const text = env.STORAGE_EMULATOR_HOST;
  if (!text) return undefined;
  const address = text.includes("://") ? text : `http://${text}`;
  return endpointOf(address, (why) => invalid(`environment: STORAGE_EMULATOR_HOST ${why}`));
}

/** `gcs.access` narrows the token; a stated `scope` wins over it. */
function scopesOf(extra: FieldReader): readonly string[] {
  const access = extra.oneOf("gcs.access", ["read_only", "read_write", "full_control"]) ?? "full_control";
  const stated = extra.list("scope") ?? [];
  if (stated.length > 0) return stated;
  return access === "full_control" ? [CLOUD_PLATFORM] : [`https://www.googleapis.com/auth/devstorage.${access}`];
}
