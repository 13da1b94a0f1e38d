/** Reads GCS settings from a `google_cloud_platform` connection and the environment. No files, requests or packages. */

import { type Connection, Secret } from "../../../connections/connection.js";
import {
  checkKind,
  checkNoAddress,
  connectionError,
  endpointIn,
  endpointOf,
  FieldReader,
  GOOGLE,
} from "../../../connections/fields.js";
import type { Env } from "../../../connections/sources.js";
import { invalid } from "../../../errors.js";

export interface GcsOptions {
  /** Undefined if only the credentials contain it. */
  readonly project: string | undefined;
  /** Without a trailing slash; undefined for Google's own. */
  readonly endpoint: string | undefined;
  readonly credentials: GcsCredentials;
  /** OAuth scopes of the token. */
  readonly scopes: readonly string[];
  readonly requesterPays: boolean;
  /** The project billed for requester-pays requests; undefined for `project`. */
  readonly billingProject: string | undefined;
  /** The Cloud KMS key that encrypts new objects; undefined for the bucket's. */
  readonly kmsKeyName: string | undefined;
  /** Maximum attempts per request, including the first; undefined for the driver's default. */
  readonly attempts: number | undefined;
}

const CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform";

/** Fields without effect here, each with the reason. */
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
 * Returns the options of the GCS driver. Without a connection: Application Default Credentials, and the environment.
 * Throws InvalidArgument for an invalid field, Unsupported for one that cannot be honoured; both name the field.
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
    throw connectionError(connection, "its password is not read; use keyfile_dict or key_path");
  const extra = FieldReader.of(connection, ["google_cloud_platform", connection.type]);
  for (const [name, why] of Object.entries(UNSUPPORTED)) extra.unsupported(name, why);
  extra.ignore(Object.keys(IGNORED));
  checkSession(extra.object("gcs.session-kwargs"));
  return extra;
}

/** Node has its own settings for proxies in the environment, so `trust_env` has no effect. */
function checkSession(session: FieldReader): void {
  session.ignore(["trust_env"]);
  session.done();
}

function projectIn(extra: FieldReader): string | undefined {
  const [own, older] = [extra.text("project"), extra.text("gcs.project-id")];
  return own ?? older;
}

/** Returns the emulator address that Google's own libraries use; it may lack `http://`. */
function endpointOfEnv(env: Env): string | undefined {
  const text = env.STORAGE_EMULATOR_HOST;
  if (!text) return undefined;
  const address = text.includes("://") ? text : `http://${text}`;
  return endpointOf(address, (why) => invalid(`environment: STORAGE_EMULATOR_HOST ${why}`));
}

/** `gcs.access` narrows the token's scopes; an explicit `scope` takes precedence. */
function scopesOf(extra: FieldReader): readonly string[] {
  const access = extra.oneOf("gcs.access", ["read_only", "read_write", "full_control"]) ?? "full_control";
  const stated = extra.list("scope") ?? [];
  if (stated.length > 0) return stated;
  return access === "full_control" ? [CLOUD_PLATFORM] : [`https://www.googleapis.com/auth/devstorage.${access}`];
}

// The credentials that request tokens from Google.

/** A Google key file: a service account key, or the configuration of workload identity federation. */
export type GoogleKey =
  /** The JSON text of the file. */
  { readonly kind: "keyfile"; readonly keyfile: Secret } | { readonly kind: "key-path"; readonly path: string };

/** Credentials that need no others; `adc` are the Application Default Credentials. */
export type GoogleSource =
  | GoogleKey
  | { readonly kind: "adc" }
  /** A federation whose subject token comes from an identity provider by the client credentials grant. */
  | {
      readonly kind: "oidc";
      readonly config: GoogleKey;
      readonly issuerUrl: string;
      readonly clientId: string;
      readonly clientSecret: Secret;
      /** Additional fields of the token request. */
      readonly params: Readonly<Record<string, string>>;
    };

export type GcsCredentials =
  | GoogleSource
  | { readonly kind: "anonymous" }
  /** `target` is the service account to impersonate; each of `delegates` authorises the next one. */
  | {
      readonly kind: "impersonation";
      readonly source: GoogleSource;
      readonly target: string;
      readonly delegates: readonly string[];
    };

const EXCLUSIVE = ["keyfile_dict", "key_path", "credential_config_file", "is_anonymous"] as const;

/** Returns the credentials in the fields, and the project that belongs to them. Anonymous only on request. */
function gcsCredentials(extra: FieldReader): { credentials: GcsCredentials; project: string | undefined } {
  const anonymous = extra.flag("is_anonymous") === true;
  const given = EXCLUSIVE.filter((name) => (name === "is_anonymous" ? anonymous : extra.has(name)));
  if (given.length > 1) throw extra.wrong(given[0]!, `and ${given[1]} exclude each other`);
  const chain = extra.list("impersonation_chain") ?? [];
  const key = keyIn(extra);
  const source = oidcIn(extra, key) ?? key ?? { kind: "adc" };
  if (anonymous && chain.length > 0) throw extra.wrong("impersonation_chain", "and is_anonymous exclude each other");
  if (anonymous) return { credentials: { kind: "anonymous" }, project: undefined };
  return impersonated(extra, source, chain);
}

function impersonated(
  extra: FieldReader,
  source: GoogleSource,
  chain: readonly string[],
): { credentials: GcsCredentials; project: string | undefined } {
  const target = chain.at(-1);
  if (target === undefined) return { credentials: source, project: projectOf(source) };
  if (!/^[^@\s/]+@[^@\s/]+$/.test(target))
    throw extra.wrong("impersonation_chain", "must end with an account's address");
  const credentials: GcsCredentials = { kind: "impersonation", source, target, delegates: chain.slice(0, -1) };
  return { credentials, project: /@([^.]+)/.exec(target)?.[1] };
}

function projectOf(source: GoogleSource): string | undefined {
  if (source.kind !== "keyfile") return undefined;
  const { project_id: project } = JSON.parse(source.keyfile.reveal()) as { project_id?: unknown };
  return typeof project === "string" ? project : undefined;
}

function keyIn(extra: FieldReader): GoogleKey | undefined {
  const keyfile = inlineKey(extra, "keyfile_dict");
  const path = extra.text("key_path");
  if (path && /\.p12$/i.test(path)) throw extra.wrong("key_path", "is a P12 key; use a JSON key", "Unsupported");
  return keyfile ?? (path === undefined ? configIn(extra) : { kind: "key-path", path });
}

/** Returns a path, or the configuration itself as an object or as text. */
function configIn(extra: FieldReader): GoogleKey | undefined {
  const name = "credential_config_file";
  const value = extra.raw(name);
  const isPath = typeof value === "string" && !value.trimStart().startsWith("{");
  return isPath ? { kind: "key-path", path: value } : inlineKey(extra, name);
}

function inlineKey(extra: FieldReader, name: string): GoogleKey | undefined {
  const value = extra.json(name);
  if (value === undefined) return undefined;
  const typed = typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
  if (!typed) throw extra.wrong(name, "must be a Google credentials file: an object with a type");
  return { kind: "keyfile", keyfile: new Secret(JSON.stringify(value)) };
}

function oidcIn(extra: FieldReader, config: GoogleKey | undefined): GoogleSource | undefined {
  const issuerUrl = extra.text("idp_issuer_url");
  const clientId = extra.text("client_id");
  const clientSecret = extra.secret("client_secret");
  const params = paramsOf(extra, extra.json("idp_extra_params"));
  if (issuerUrl === undefined) {
    const orphan = ["client_id", "client_secret", "idp_extra_params"].find((name) => extra.has(name));
    if (orphan) throw extra.wrong(orphan, "needs idp_issuer_url");
    return undefined;
  }
  if (!config || !extra.has("credential_config_file"))
    throw extra.wrong("idp_issuer_url", "needs credential_config_file");
  if (!clientId || !clientSecret) throw extra.wrong("idp_issuer_url", "needs client_id and client_secret");
  if (!/^https?:\/\//.test(issuerUrl)) throw extra.wrong("idp_issuer_url", "must start with https:// or http://");
  return { kind: "oidc", config, issuerUrl, clientId, clientSecret, params };
}

function paramsOf(extra: FieldReader, value: unknown): Record<string, string> {
  const isRecord = value === undefined || (typeof value === "object" && value !== null && !Array.isArray(value));
  const entries = isRecord ? Object.entries(value ?? {}) : [["", undefined]];
  if (!entries.every(([, inner]) => typeof inner === "string")) {
    throw extra.wrong("idp_extra_params", "must be an object of texts");
  }
  return Object.fromEntries(entries) as Record<string, string>;
}
