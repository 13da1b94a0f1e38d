import { describe, expect, test } from "vitest";
import { type Connection, parseConnection, Secret, toConnection } from "../../../../src/connections/index.js";
import { isStorageError } from "../../../../src/errors.js";
import { type AzureOptions, azureOptions } from "../../../../src/fs/drivers/azure/connection.js";
import { type GcsOptions, gcsOptions } from "../../../../src/fs/drivers/gcs/connection.js";
import { type S3Options, s3Options } from "../../../../src/fs/drivers/s3/connection.js";
import { caught } from "../../../support/caught.js";
import vectors from "../../../vectors/fs_options.json" with { type: "json" };

type Json = Record<string, unknown>;

interface Case {
  provider: string;
  conn: Json | string | null;
  note: string;
  kwargs?: Json;
  session?: { credentials: { access_key: string; secret_key: string; method: string } | null; region: string | null };
  error?: string;
}

const cases = vectors.cases as unknown as Case[];

function connectionOf(conn: Case["conn"]): Connection | undefined {
  if (conn === null) return undefined;
  return parseConnection(typeof conn === "string" ? conn : JSON.stringify(conn), "x");
}

/** The environment in which the vectors were made, told by their notes. */
function envOf({ note }: Case): Record<string, string> {
  const keys = { AWS_ACCESS_KEY_ID: "ENVK", AWS_SECRET_ACCESS_KEY: "ENVS" };
  if (note === "no conn, env creds") return keys;
  return note === "env region" ? { ...keys, AWS_DEFAULT_REGION: "ap-1" } : {};
}

/** Secrets as `secret:<text>`, so that plain text in their place does not pass. */
function shown(value: unknown): unknown {
  if (value instanceof Secret) return `secret:${value.reveal()}`;
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shown(inner)]));
}

/** Ours where it is not Airflow's: a code and what its message names, or options, and the reason. */
type Difference = [why: string, code: "InvalidArgument" | "Unsupported", names: RegExp] | [why: string, options: Json];

function describeProvider(
  provider: string,
  options: (connection: Connection | undefined, env: Json & Record<string, string>) => object,
  airflows: (entry: Case) => Json,
  differences: Record<number, Difference>,
): void {
  const own = cases.map((entry, index) => ({ entry, index })).filter(({ entry }) => entry.provider === provider);
  test.each(own)(`${provider} $index $entry.note`, ({ entry, index }) => {
    const run = () => options(connectionOf(entry.conn), envOf(entry));
    const difference = differences[index];
    if (difference === undefined && entry.error) {
      expect(isStorageError(caught(run), "InvalidArgument")).toBe(true);
    } else if (difference?.length === 3) {
      const error = caught(run) as Error;
      expect(isStorageError(error, difference[1])).toBe(true);
      expect(error.message).toMatch(difference[2]);
    } else {
      expect(shown(run())).toMatchObject({ ...(difference ? {} : airflows(entry)), ...difference?.[1] });
    }
  });
}

describe("S3: every case of Airflow's has the same meaning, or a named difference", () => {
  const proxies: Difference = ["proxies are Node's own", "Unsupported", /proxy-uri/];
  const web = "assume_role_with_web_identity";
  const keys = { kind: "static", accessKeyId: "AK", secretAccessKey: "secret:SK" };
  describeProvider(
    "amazon",
    s3Options,
    ({ kwargs = {}, session }) => {
      const { credentials, region } = session!;
      const stated = { kind: "static", accessKeyId: credentials?.access_key };
      return {
        endpoint: kwargs.endpoint_url ?? undefined,
        region: region ?? (kwargs.endpoint_url ? "us-east-1" : undefined),
        credentials: { ...stated, secretAccessKey: `secret:${credentials?.secret_key}` },
        addressing: kwargs.endpoint_url || JSON.stringify(kwargs).includes('"path"') ? "path" : "auto",
      };
    },
    {
      0: ["no credentials are the default chain, never anonymous", { credentials: { kind: "default" } }],
      3: ["an address in host would be left out", "InvalidArgument", /endpoint_url/],
      6: ["half a key pair", "InvalidArgument", /half/],
      8: ["the driver reads the profile", { credentials: { kind: "profile", name: "prof" } }],
      10: ["unsigned is the way to ask for anonymous", { credentials: { kind: "anonymous" } }],
      11: ["verify is honoured", { verify: false, credentials: keys }],
      12: ["verify is honoured", { verify: "/ca.pem", credentials: keys }],
      14: proxies,
      15: ["remote signers are not supported", "Unsupported", /service_config\.s3\.signer/],
      16: ["remote signers are not supported", "Unsupported", /service_config\.s3\.signer/],
      17: ["same", "InvalidArgument", /assume_role_method/],
      18: [
        "the driver reads the token file",
        { credentials: { kind: "web-identity", token: { path: "/nonexistent" } } },
      ],
      19: ["same", "InvalidArgument", new RegExp(`${web}_federation must`)],
      21: ["an address in extra host would be left out", "Unsupported", /host.*endpoint_url/],
      23: ["verify=false in a URI is honoured", { verify: false, credentials: keys }],
      24: ["there are no storage options beside the connection", { credentials: keys }],
      25: ["same", "InvalidArgument", /config_kwargs\.a /],
      27: ["requester_pays is honoured", { requesterPays: true, credentials: keys }],
    },
  );
});

describe("Azure: every case of Airflow's has the same meaning, or a named difference", () => {
  const noAccount: Difference = ["Airflow goes to an account that is called None", "InvalidArgument", /account/];
  const cs: Difference = ["a connection string is checked here", "InvalidArgument", /connection_string.*Name=Value/];
  const principal = { kind: "service-principal", tenantId: "T", clientId: "cid", clientSecret: "secret:sec" };
  const atHost = { account: "acct", endpoint: "https://acct.blob.core.windows.net", credentials: principal };
  const bare: Difference = ["a bare host is the account; Airflow's address is the client id's", atHost];
  const adls = ["AZURE: the account is in the address", atHost] as Difference;
  describeProvider(
    "microsoft-azure",
    azureOptions,
    ({ conn, kwargs = {} }) => {
      const account = kwargs.account_name ?? (conn as Json).login;
      const url = String(kwargs.account_url).replace(/\/$/, "");
      const key = kwargs.account_key && { kind: "shared-key", key: `secret:${kwargs.account_key}` };
      const sas = kwargs.sas_token && { kind: "sas", token: `secret:${kwargs.sas_token}` };
      const endpoint = url.includes("None") ? `https://${account}.blob.core.windows.net` : url;
      return { account, endpoint, credentials: key || sas || { kind: "default" } };
    },
    {
      30: ["adlfs needs an account too", "InvalidArgument", /AZURE_STORAGE_ACCOUNT_NAME/],
      31: noAccount,
      33: noAccount,
      34: cs,
      35: cs,
      36: adls,
      37: bare,
      38: ["a client's id names no account", "InvalidArgument", /account/],
      39: [
        "the account's name makes the address",
        {
          account: "a",
          endpoint: "https://a.blob.core.windows.net",
          credentials: { ...principal, authority: "https://login.partner.microsoftonline.cn" },
        },
      ],
      42: [
        "adlfs ignores the identities",
        {
          account: "a",
          credentials: { kind: "default", managedIdentityClientId: "M", workloadIdentityTenantId: "WT" },
        },
      ],
      45: [
        "an emulator's account is in the path",
        {
          account: "devstoreaccount1",
          endpoint: "http://127.0.0.1:10000/devstoreaccount1",
          credentials: { kind: "shared-key" },
        },
      ],
      48: noAccount,
      49: ["unknown fields are named", "InvalidArgument", /account|shared_access_key/],
      51: bare,
      52: [
        "tenant is honoured; Airflow takes the client's secret for the account's key",
        { account: "a", endpoint: "https://a.blob.core.windows.net", credentials: principal },
      ],
      53: cs,
      54: [
        "same",
        {
          account: "acct",
          endpoint: "https://acct.blob.core.windows.net",
          credentials: { kind: "shared-key", key: "secret:a+b==" },
        },
      ],
      55: adls,
      56: adls,
    },
  );
});

describe("GCS: every case of Airflow's has the same meaning, or a named difference", () => {
  const scopes = ["https://www.googleapis.com/auth/cloud-platform"];
  const atPath = { kind: "key-path", path: "/srv/airflow/sa.json" };
  const unread = (credentials: Json): Difference => [
    "the driver reads the file",
    { project: undefined, scopes, credentials },
  ];
  const impersonation = (target: string, delegates: string[]): Difference => [
    "said by name instead of a token",
    { project: "p", credentials: { kind: "impersonation", source: atPath, target, delegates } },
  ];
  describeProvider(
    "google",
    gcsOptions,
    ({ conn, kwargs = {} }) => {
      const inline = JSON.stringify(conn).includes("service_account");
      const credentials = { kind: inline ? "keyfile" : "key-path" };
      return { project: kwargs.project, requesterPays: kwargs.requester_pays, scopes, credentials };
    },
    {
      58: ["gcsfs tries anonymous last; the default chain never does", { credentials: { kind: "adc" } }],
      61: unread(atPath),
      63: unread(atPath),
      65: unread({ kind: "key-path", path: "/none.json" }),
      67: [
        "access narrows the token; what has no meaning here is left out",
        {
          endpoint: "http://gcs:4443",
          requesterPays: true,
          scopes: ["https://www.googleapis.com/auth/devstorage.read_only"],
          credentials: atPath,
        },
      ],
      68: unread(atPath),
      69: ["same", { project: undefined, credentials: { kind: "anonymous" } }],
      71: impersonation("target@p.iam", []),
      72: impersonation("b@p", ["a@p"]),
      74: unread({ kind: "key-path", path: "/none.json" }),
      75: unread(atPath),
      76: ["num_retries is honoured", { attempts: 8, credentials: atPath }],
      77: ["an address in endpoint_url would be left out", "Unsupported", /endpoint_url.*gcs\.endpoint/],
    },
  );
});

/** Airflow's JSON form of a connection. */
function made(type: string, extra: Json, more: Json = {}): Connection {
  return parseConnection(JSON.stringify({ conn_type: type, extra, ...more }), "my conn");
}

describe("S3 options", () => {
  const s3 = (extra: Json, more: Json = { login: "AK", password: "SK" }, env: Record<string, string> = {}): S3Options =>
    s3Options(made("aws", extra, more), env);
  const fails = (extra: Json, name: RegExp, code: "InvalidArgument" | "Unsupported" = "InvalidArgument") => {
    const error = caught(() => s3(extra)) as Error;
    expect(isStorageError(error, code), String(error)).toBe(true);
    expect(error.message).toMatch(name);
  };

  test("a session token goes with its keys, from the extra, the session and the environment", () => {
    const token = "secret:T";
    expect(shown(s3({ aws_session_token: "T" }).credentials)).toMatchObject({ sessionToken: token });
    const session = { aws_access_key_id: "a", aws_secret_access_key: "b", aws_session_token: "T" };
    expect(shown(s3({ session_kwargs: session }, {}).credentials)).toMatchObject({ sessionToken: token });
    const env = { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b", AWS_SESSION_TOKEN: "T" };
    expect(shown(s3Options(undefined, env).credentials)).toMatchObject({ sessionToken: token });
  });

  test("a session token without keys and half a pair in the environment are refused", () => {
    expect(() => s3({ aws_session_token: "T" }, {})).toThrow(/aws_session_token/);
    expect(() => s3({}, {}, { AWS_ACCESS_KEY_ID: "a" })).toThrow(/AWS_SECRET_ACCESS_KEY/);
  });

  test("without stated keys the order is: keys of the environment, AWS_PROFILE, web identity, default chain", () => {
    const irsa = { AWS_ROLE_ARN: "arn:aws:iam::1:role/r", AWS_WEB_IDENTITY_TOKEN_FILE: "/t" };
    const keys = { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" };
    const kind = (env: Record<string, string>) => s3Options(undefined, env).credentials.kind;
    expect(kind({ ...irsa, AWS_PROFILE: "p", ...keys })).toBe("static");
    expect(kind({ ...irsa, AWS_PROFILE: "p" })).toBe("profile");
    expect(kind(irsa)).toBe("web-identity");
    expect(kind({})).toBe("default");
  });

  test("anonymous is asked for by anon or unsigned, and only by them", () => {
    expect(s3({ anon: true }, {}).credentials).toEqual({ kind: "anonymous" });
    expect(s3({ anon: "true" }, {}, { AWS_ACCESS_KEY_ID: "half" }).credentials).toEqual({ kind: "anonymous" });
    expect(s3({ anon: false }, {}).credentials).toEqual({ kind: "default" });
  });

  test("a role is assumed with everything that assume_role_kwargs says, by the keys of the connection", () => {
    const role = s3({
      role_arn: "arn:aws:iam::1:role/r",
      region_name: "eu-west-1",
      service_config: { sts: { endpoint_url: "https://sts.example/" }, sqs: { anything: 1 } },
      assume_role_kwargs: {
        ExternalId: "e",
        DurationSeconds: 900,
        Policy: '{"Version":"2012-10-17"}',
        PolicyArns: [{ arn: "arn:p" }],
        Tags: [{ Key: "k", Value: "v" }],
        TransitiveTagKeys: ["k"],
        SourceIdentity: "me",
        SerialNumber: "arn:mfa",
        TokenCode: "123456",
      },
    }).credentials;
    expect(shown(role)).toEqual({
      kind: "assume-role",
      roleArn: "arn:aws:iam::1:role/r",
      sessionName: "Airflow_my_conn",
      durationSeconds: 900,
      policy: '{"Version":"2012-10-17"}',
      policyArns: ["arn:p"],
      stsEndpoint: "https://sts.example",
      region: "eu-west-1",
      source: { kind: "static", accessKeyId: "AK", secretAccessKey: "secret:SK", sessionToken: undefined },
      externalId: "e",
      sourceIdentity: "me",
      tags: [{ key: "k", value: "v" }],
      transitiveTagKeys: ["k"],
      mfa: { serialNumber: "arn:mfa", tokenCode: "secret:123456" },
    });
  });

  test("a role without keys is assumed by the profile or by what the environment says", () => {
    const role = { role_arn: "arn:aws:iam::1:role/r" };
    expect(s3({ ...role, profile_name: "p" }, {}).credentials).toMatchObject({
      source: { kind: "profile", name: "p" },
    });
    expect(s3(role, {}).credentials).toMatchObject({ kind: "assume-role", source: { kind: "default" } });
  });

  test("a web identity takes its token from a file or from Google's metadata server", () => {
    const how = "assume_role_with_web_identity";
    const web = { role_arn: "arn:aws:iam::1:role/r", assume_role_method: how };
    const file = { [`${how}_federation`]: "file", [`${how}_token_file`]: "/t" };
    const google = { [`${how}_federation`]: "google", [`${how}_federation_audience`]: "aud" };
    expect(s3({ ...web, ...file }, {}).credentials).toMatchObject({ token: { kind: "file", path: "/t" } });
    expect(s3({ ...web, ...google }, {}).credentials).toMatchObject({ token: { kind: "google", audience: "aud" } });
    fails({ ...web, [`${how}_federation`]: "google" }, /federation_audience/);
  });

  test("config_kwargs say timeouts in milliseconds, tries with the first, sockets, checksums and addressing", () => {
    const config = {
      connect_timeout: 1.5,
      read_timeout: "20",
      retries: { max_attempts: 3, mode: "standard" },
      max_pool_connections: "7",
      request_checksum_calculation: "when_required",
      s3: { addressing_style: "virtual" },
      user_agent_extra: "x",
    };
    expect(s3({ config_kwargs: config, endpoint_url: "https://h" })).toMatchObject({
      connectTimeout: 1500,
      readTimeout: 20_000,
      attempts: 4,
      connections: 7,
      requestChecksum: "when_required",
      addressing: "virtual",
    });
    expect(s3({ config_kwargs: { retries: { max_attempts: 3, total_max_attempts: 2 } } }).attempts).toBe(2);
  });

  test("nested fields may be JSON text, as a connection URI gives them", () => {
    const text = "aws://k:s@/?config_kwargs=%7B%22s3%22%3A%7B%22addressing_style%22%3A%22path%22%7D%7D";
    expect(s3Options(parseConnection(text), {}).addressing).toBe("path");
  });

  test.each([
    [{ ServerSideEncryption: "AES256" }, { kind: "s3" }],
    [
      { ServerSideEncryption: "aws:kms", SSEKMSKeyId: "k", BucketKeyEnabled: true },
      { kind: "kms", algorithm: "aws:kms", keyId: "k", bucketKey: true },
    ],
    [
      { SSECustomerAlgorithm: "AES256", SSECustomerKey: "k".repeat(32) },
      { kind: "c", key: `secret:${btoa("k".repeat(32))}` },
    ],
    [{ SSECustomerKey: btoa("k".repeat(32)) }, { kind: "c", key: `secret:${btoa("k".repeat(32))}` }],
  ])("encryption %j", (additional, expected) => {
    expect(shown(s3({ s3_additional_kwargs: additional }).encryption)).toEqual(expected);
  });

  test.each([
    ["http://minio:9000", "generic", "us-east-1", "path"],
    ["https://s3.eu-west-1.amazonaws.com/", "aws", "eu-west-1", "path"],
    ["https://evil-amazonaws.com", "generic", "us-east-1", "path"],
    ["https://abc.r2.cloudflarestorage.com", "r2", "auto", "path"],
    ["https://s3.us-west-004.backblazeb2.com", "b2", "us-west-004", "path"],
  ])("the endpoint %s is %s in %s", (endpoint, provider, region, addressing) => {
    expect(s3({ endpoint_url: endpoint })).toMatchObject({ provider, region, addressing });
    expect(s3({ endpoint_url: endpoint, provider: "minio" }).provider).toBe("minio");
  });

  test("the endpoint of s3 alone wins over the common one, and both over the environment's", () => {
    const env = { AWS_ENDPOINT_URL: "https://env", AWS_ENDPOINT_URL_S3: "https://env-s3" };
    const extra = {
      endpoint_url: "https://all",
      service_config: { s3: { endpoint_url: "https://s3", bucket_name: "b" } },
    };
    expect(s3(extra, {}, env).endpoint).toBe("https://s3");
    expect(s3({ endpoint_url: "https://all" }, {}, env).endpoint).toBe("https://all");
    expect(s3({}, {}, env).endpoint).toBe("https://env-s3");
    expect(s3({}, {}, { ...env, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" }).endpoint).toBeUndefined();
  });

  test("the region is the connection's, the session's, the configuration's, then the environment's", () => {
    const env = { AWS_REGION: "env-1", AWS_DEFAULT_REGION: "env-2" };
    const config = { config_kwargs: { region_name: "config-1" } };
    const session = { session_kwargs: { region_name: "session-1" } };
    expect(s3({ region_name: "own-1", ...session, ...config }, {}, env).region).toBe("own-1");
    expect(s3({ ...session, ...config }, {}, env).region).toBe("session-1");
    expect(s3(config, {}, env).region).toBe("config-1");
    expect(s3({}, {}, env).region).toBe("env-1");
    fails({ region_name: "a.evil.example/" }, /region/);
  });

  test.each([
    [{ endpoint_url: "minio:9000" }, /endpoint_url/],
    [{ endpoint_url: "ftp://h" }, /endpoint_url/],
    [{ endpoint_url: "https://u:pw@h" }, /endpoint_url must not carry a user/],
    [{ endpoint_url: "https://h?x=1" }, /endpoint_url/],
    [{ regoin_name: "x" }, /regoin_name/],
    [{ config_kwargs: { s3: { adressing_style: "path" } } }, /config_kwargs\.s3\.adressing_style/],
    [{ config_kwargs: { connect_timeout: "soon" } }, /config_kwargs\.connect_timeout/],
    [{ config_kwargs: "{" }, /config_kwargs/],
    [{ config_kwargs: [] }, /config_kwargs/],
    [{ anon: "maybe" }, /anon/],
    [{ provider: "nope" }, /provider/],
    [{ external_id: "e" }, /role_arn/],
    [{ role_arn: "r" }, /role_arn/],
    [{ role_arn: "arn:r", assume_role_kwargs: { Nope: 1 } }, /assume_role_kwargs\.Nope/],
    [{ s3_additional_kwargs: { SSEKMSKeyId: "k" } }, /SSEKMSKeyId/],
    [{ s3_additional_kwargs: { SSECustomerKey: "short" } }, /SSECustomerKey/],
    [{ s3_additional_kwargs: { SSECustomerKey: "k".repeat(32), ServerSideEncryption: "AES256" } }, /exclude/],
  ])("%j is InvalidArgument and named", (extra, name) => fails(extra, name));

  test.each([
    [{ assume_role_method: "assume_role_with_saml", role_arn: "arn:r" }, /assume_role_method/],
    [{ assume_role_with_saml: { idp_url: "u" } }, /assume_role_with_saml/],
    [{ profile: "p" }, /profile_name/],
    [{ s3_config_file: "f" }, /s3_config_file/],
    [{ aws_iam_role: "r" }, /aws_iam_role/],
    [{ config_kwargs: { proxies: { http: "http://p" } } }, /config_kwargs\.proxies/],
    [{ config_kwargs: { use_fips_endpoint: true } }, /use_fips_endpoint/],
    [{ config_kwargs: { s3: { use_accelerate_endpoint: true } } }, /use_accelerate_endpoint/],
    [{ config_kwargs: { signature_version: "s3" } }, /signature_version/],
    [{ session_kwargs: { botocore_session: "b" } }, /botocore_session/],
  ])("%j is Unsupported and named", (extra, name) => fails(extra, name, "Unsupported"));

  test.each([
    ["region", "region_name"],
    ["endpoint", "endpoint_url"],
    ["endpointUrl", "endpoint_url"],
    ["access_key", "aws_access_key_id"],
    ["accessKeyId", "aws_access_key_id"],
    ["secret_key", "aws_secret_access_key"],
    ["secretAccessKey", "aws_secret_access_key"],
    ["session_token", "aws_session_token"],
  ])("the field %s is refused with the name that was meant, %s", (name, meant) => {
    fails({ [name]: "x" }, new RegExp(`${name} is not a field .* write ${meant}\\)`));
  });
  test("a field that resembles none is to be removed", () => fails({ colour: "x" }, /colour .* remove it/));

  test("older names of AWS connections are read", () => {
    expect(s3({ extra__aws__region_name: "eu-west-1" }).region).toBe("eu-west-1");
  });

  test("the line break at the end of a mounted secret is no part of it", () => {
    const mounted = s3({ region_name: "eu-west-1\n" }, { login: "id\n", password: "key\r\n" });
    expect(mounted.region).toBe("eu-west-1");
    expect(mounted.credentials).toMatchObject({ accessKeyId: "id" });
    const env = { AWS_ACCESS_KEY_ID: "id\n", AWS_SECRET_ACCESS_KEY: "key\n" };
    for (const { credentials } of [mounted, s3({}, {}, env)])
      expect(credentials.kind === "static" && credentials.secretAccessKey.reveal()).toBe("key");
  });

  test.each([
    [{ conn_type: "aws" }, /conn_type; write type/],
    [{ type: "aws", username: "x" }, /username; write login/],
    [{ type: "aws", region_name: "x" }, /region_name; a provider's own fields go into extra/],
  ])("the record %j is refused with what to write", (record, words) => {
    expect(() => toConnection("a", record as never)).toThrow(words);
  });
  test("JSON with type is refused with conn_type", () => {
    expect(() => parseConnection('{"type":"aws"}')).toThrow(/type; write conn_type/);
  });

  test("an extra that is no JSON object is refused", () => {
    expect(() => s3Options(parseConnection('{"conn_type":"aws","extra":"notjson"}', "a"), {})).toThrow(
      /not a JSON object/,
    );
  });

  test.each(["aws://AKIA/X:sec/ret@/?region_name=eu-west-1", "aws_thing://k:s@h"])(
    "a text that was taken apart at the wrong place (%s) is refused without being repeated",
    (text) => {
      const error = caught(() => s3Options(parseConnection(text, "a"), {})) as Error;
      expect(error.message).toMatch(/encode/);
      expect(error.message).not.toMatch(/sec|k:s/);
    },
  );

  test("the rest of a secret with an unencoded & is not repeated as a field's name", () => {
    const text = "aws://k@/?aws_access_key_id=a&aws_secret_access_key=abc&defghi";
    expect((caught(() => s3Options(parseConnection(text), {})) as Error).message).not.toContain("defghi");
  });

  test("keys that are taken for a type and a schema do not use the environment's credentials", () => {
    for (const text of ["AKIAEXAMPLE:secret", "AKIAEXAMPLE/secret"]) {
      const error = caught(() => s3Options(parseConnection(text), { AWS_ACCESS_KEY_ID: "other" })) as Error;
      expect(error.message).toContain("write it as a URI");
      expect(error.message).not.toContain("ecret");
    }
    expect(s3Options(parseConnection("http://id:key@"), {}).credentials).toMatchObject({ kind: "static" });
    expect(() => s3Options(parseConnection("aws://"), {})).not.toThrow();
  });

  test("a connection of another cloud is refused by each", () => {
    expect(() => s3Options(made("wasb", {}), {})).toThrow(/another provider/);
    expect(() => gcsOptions(made("aws", {}), {})).toThrow(/another provider/);
    expect(() => azureOptions(made("google_cloud_platform", {}), {})).toThrow(/another provider/);
  });
});

describe("GCS options", () => {
  const gcs = (extra: Json, env: Record<string, string> = {}): GcsOptions =>
    gcsOptions(made("google-cloud-platform", extra), env);
  const key = { type: "service_account", project_id: "from-key", private_key: "PEM" };

  test("a key may be an object or text, is one secret, and names the project", () => {
    for (const keyfile_dict of [key, JSON.stringify(key)]) {
      const { credentials, project } = gcs({ keyfile_dict });
      expect(credentials.kind === "keyfile" && JSON.parse(credentials.keyfile.reveal())).toEqual(key);
      expect(project).toBe("from-key");
      expect(JSON.stringify(credentials)).not.toContain("PEM");
    }
  });

  test("older names with a prefix are read, and lose against the plain ones even when those are empty", () => {
    const prefix = "extra__google_cloud_platform__";
    expect(gcs({ [`${prefix}key_path`]: "/k.json", [`${prefix}project`]: "p" })).toMatchObject({
      project: "p",
      credentials: { kind: "key-path", path: "/k.json" },
    });
    expect(gcs({ [`${prefix}key_path`]: "/k.json", key_path: "" }).credentials).toEqual({ kind: "adc" });
  });

  test("a federation's configuration may be a path, an object or text", () => {
    const config = { type: "external_account", audience: "a" };
    for (const credential_config_file of [config, JSON.stringify(config)]) {
      expect(gcs({ credential_config_file }).credentials.kind).toBe("keyfile");
    }
    expect(gcs({ credential_config_file: "/c.json" }).credentials).toEqual({ kind: "key-path", path: "/c.json" });
  });

  test("an identity provider needs its configuration and its client", () => {
    const idp = { idp_issuer_url: "https://idp/token", client_id: "c", client_secret: "s" };
    const whole = gcs({ ...idp, credential_config_file: "/c.json", idp_extra_params: { scope: "x" } });
    expect(shown(whole.credentials)).toEqual({
      kind: "oidc",
      config: { kind: "key-path", path: "/c.json" },
      issuerUrl: "https://idp/token",
      clientId: "c",
      clientSecret: "secret:s",
      params: { scope: "x" },
    });
    expect(() => gcs(idp)).toThrow(/credential_config_file/);
    expect(() => gcs({ client_secret: "s" })).toThrow(/idp_issuer_url/);
  });

  test("scopes are a list with commas, the requester's project may be named, retries come after the first try", () => {
    expect(gcs({ scope: "a, b", "gcs.access": "read_only" }).scopes).toEqual(["a", "b"]);
    expect(gcs({ "gcs.requester-pays": "payer" })).toMatchObject({ requesterPays: true, billingProject: "payer" });
    expect(gcs({ "gcs.requester-pays": "true" })).toMatchObject({ requesterPays: true, billingProject: undefined });
    expect(gcs({ "gcs.requester-pays": false }).requesterPays).toBe(false);
    expect(gcs({ num_retries: 0, kms_key_name: "k" })).toMatchObject({ attempts: 1, kmsKeyName: "k" });
  });

  test("an emulator of the environment is used with the credentials that are said, and a stated endpoint wins", () => {
    expect(gcsOptions(undefined, { STORAGE_EMULATOR_HOST: "localhost:4443" })).toMatchObject({
      endpoint: "http://localhost:4443",
      credentials: { kind: "adc" },
    });
    const env = { STORAGE_EMULATOR_HOST: "http://a" };
    expect(gcs({ "gcs.endpoint": "http://b/" }, env).endpoint).toBe("http://b");
  });

  test("the project is the connection's, the key's, then the environment's", () => {
    const env = { GOOGLE_CLOUD_PROJECT: "env" };
    expect(gcs({ project: "own", keyfile_dict: key }, env).project).toBe("own");
    expect(gcs({ keyfile_dict: key }, env).project).toBe("from-key");
    expect(gcs({}, env).project).toBe("env");
  });

  test.each([
    [{ keyfile_dict: { no: "type" } }, "InvalidArgument", /keyfile_dict/],
    [{ key_path: "/k.json", is_anonymous: "true" }, "InvalidArgument", /key_path.*is_anonymous/],
    [{ is_anonymous: true, impersonation_chain: "a@p" }, "InvalidArgument", /impersonation_chain/],
    [{ impersonation_chain: "nobody" }, "InvalidArgument", /impersonation_chain/],
    [{ "gcs.session-kwargs": { proxy: "p" } }, "InvalidArgument", /gcs\.session-kwargs\.proxy/],
    [{ projct: "p" }, "InvalidArgument", /projct/],
    [{ key_path: "/k.p12" }, "Unsupported", /key_path/],
    [{ key_secret_name: "n" }, "Unsupported", /key_secret_name/],
    [{ "gcs.oauth2.token": "t" }, "Unsupported", /gcs\.oauth2\.token/],
  ] as const)("%j is %s and named", (extra, code, name) => {
    const error = caught(() => gcs(extra)) as Error;
    expect(isStorageError(error, code), String(error)).toBe(true);
    expect(error.message).toMatch(name);
  });

  test("a password and an address in host, which nobody would read, are refused", () => {
    expect(() => gcsOptions(made("google_cloud_platform", {}, { password: "pw" }), {})).toThrow(/password/);
    expect(() => gcsOptions(made("google_cloud_platform", {}, { host: "http://gcs:4443" }), {})).toThrow(
      /gcs\.endpoint/,
    );
  });
});

describe("Azure options", () => {
  const azure = (extra: Json, more: Json = {}, env: Record<string, string> = {}): AzureOptions =>
    azureOptions(made("wasb", extra, more), env);
  const sig = "sv=2020&sig=abc%2F";

  test.each([
    ["AccountName=a;AccountKey=k==", "https://a.blob.core.windows.net", "a", { kind: "shared-key", key: "secret:k==" }],
    [
      "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=k;EndpointSuffix=core.usgovcloudapi.net;QueueEndpoint=x",
      "http://a.blob.core.usgovcloudapi.net",
      "a",
      { kind: "shared-key", key: "secret:k" },
    ],
    [
      `BlobEndpoint=https://a.blob.core.windows.net/;SharedAccessSignature=?${sig};`,
      "https://a.blob.core.windows.net",
      "a",
      { kind: "sas", token: `secret:${sig}` },
    ],
  ])("the connection string %s", (connection_string, endpoint, account, credentials) => {
    expect(shown(azure({ connection_string }))).toMatchObject({ endpoint, account, credentials });
    expect(shown(azureOptions(undefined, { AZURE_STORAGE_CONNECTION_STRING: connection_string }))).toMatchObject({
      endpoint,
    });
  });

  test("UseDevelopmentStorage is the emulator on this machine", () => {
    const { account, endpoint, credentials } = azure({ connection_string: "UseDevelopmentStorage=true" });
    expect([account, endpoint]).toEqual(["devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1"]);
    expect(credentials.kind).toBe("shared-key");
  });

  test("a connection string wins over every other field", () => {
    const connection_string = "AccountName=a;AccountKey=k";
    expect(azure({ connection_string, sas_token: "S", account_name: "b" }, { login: "l", password: "p" }).account).toBe(
      "a",
    );
  });

  test.each([
    ["CS", /Name=Value/],
    ["AccountKey=k", /AccountName/],
    ["AccountName=a", /AccountKey/],
    ["AccountName=a;AccountKey=k;SharedAccessSignature=s", /both/],
    ["AccountName=a;AccountKey=k;Nope=hunter22", /part/],
    ["BlobEndpoint=ftp://a;AccountName=a;AccountKey=k", /BlobEndpoint/],
    ["AccountName=a/b;AccountKey=k;EndpointSuffix=@evil", /address/],
  ])("the connection string %s is refused without being repeated", (connection_string, name) => {
    const error = caught(() => azure({ connection_string })) as Error;
    expect(isStorageError(error, "InvalidArgument")).toBe(true);
    expect(error.message).toMatch(name);
    expect(error.message).not.toContain("hunter22");
  });

  test("a SAS may be bare, start with ?, be a whole URL, or stand in host", () => {
    const expected = {
      account: "acct",
      endpoint: "https://acct.blob.core.windows.net",
      credentials: { token: `secret:${sig}` },
    };
    expect(shown(azure({ sas_token: sig, account_name: "acct" }))).toMatchObject(expected);
    expect(shown(azure({ sas_token: `?${sig}` }, { login: "acct" }))).toMatchObject(expected);
    expect(shown(azure({ sas_token: `https://acct.blob.core.windows.net/box?${sig}` }))).toMatchObject(expected);
    expect(shown(azure({}, { host: `https://acct.blob.core.windows.net/?${sig}` }))).toMatchObject(expected);
    const emulator = `http://127.0.0.1:10000/devstoreaccount1/box?${sig}`;
    expect(azure({ sas_token: emulator }).endpoint).toBe("http://127.0.0.1:10000/devstoreaccount1");
  });

  test("account_host moves the account to a sovereign cloud, whose log-in is then asked", () => {
    const gov = azure(
      { account_name: "acct", account_host: "acct.blob.core.usgovcloudapi.net", tenant_id: "T" },
      { login: "cid", password: "sec" },
    );
    expect(gov.endpoint).toBe("https://acct.blob.core.usgovcloudapi.net");
    expect(gov.credentials).toMatchObject({ kind: "service-principal", authority: "https://login.microsoftonline.us" });
  });

  test("a Data Lake address is turned into the blob service's", () => {
    expect(azure({}, { host: "acct.dfs.core.windows.net", password: "k" })).toMatchObject({
      account: "acct",
      endpoint: "https://acct.blob.core.windows.net",
    });
  });

  test("managed and workload identities, one each", () => {
    expect(azure({ account_name: "a", managed_identity_client_id: "M" }).credentials).toEqual({
      kind: "managed-identity",
      clientId: "M",
    });
    const env = { AZURE_CLIENT_ID: "C", AZURE_TENANT_ID: "other", AZURE_FEDERATED_TOKEN_FILE: "/t" };
    expect(azure({ account_name: "a", workload_identity_tenant_id: "T" }, {}, env).credentials).toMatchObject({
      kind: "workload-identity",
      tenantId: "T",
      clientId: "C",
      tokenFile: "/t",
    });
    expect(() => azure({ account_name: "a", workload_identity_tenant_id: "T" })).toThrow(/client id/);
  });

  test("older names carry the connection's own type, or that of an older connection", () => {
    expect(azure({ extra__wasb__account_name: "a", extra__wasb__account_key: "k" }).account).toBe("a");
    const older = azure({ account_name: "a", extra__azure_data_lake__account_key: "k" });
    expect(shown(older)).toMatchObject({ credentials: { key: "secret:k" } });
    expect(() => azure({ account_name: "a", extra__other__account_key: "k" })).toThrow(
      /extra__other__account_key .* write account_key/,
    );
  });

  test.each([
    [{ sas_token: "?sig=s\n", account_name: "a" }, {}, { credentials: { token: "secret:sig=s" } }],
    [{ account_key: "k\r\n", account_name: "a" }, {}, { credentials: { key: "secret:k" } }],
    [{ account_name: "a" }, { password: "k\n" }, { credentials: { key: "secret:k" } }],
    [
      { account_name: "a", tenant_id: "T" },
      { login: "c", password: "p\n" },
      { credentials: { clientSecret: "secret:p" } },
    ],
    [{ connection_string: "AccountName=a;AccountKey=k\n" }, {}, { credentials: { key: "secret:k" } }],
  ])("the line break at the end of a mounted secret is no part of it: %j %j", (extra, more, expected) => {
    expect(shown(azure(extra, more))).toMatchObject(expected);
  });

  test("the line break at the end of a variable is no part of the secret", () => {
    const account = { AZURE_STORAGE_ACCOUNT_NAME: "e" };
    const key = azureOptions(undefined, { ...account, AZURE_STORAGE_ACCOUNT_KEY: "k\n" });
    expect(shown(key)).toMatchObject({ credentials: { key: "secret:k" } });
    const sas = azureOptions(undefined, { ...account, AZURE_STORAGE_SAS_TOKEN: "sig=x\n" });
    expect(shown(sas)).toMatchObject({ credentials: { token: "secret:sig=x" } });
  });

  test.each([
    [{ connection_string: "BlobEndpoint=https://files.example;SharedAccessSignature=sig=s" }],
    [{ account_host: "https://files.example", sas_token: "sig=s" }],
    [{ account_host: "https://files.example?sig=s" }],
  ])("a SAS on an own domain needs no account: %j", (extra) => {
    const found = azure(extra);
    expect(found).toMatchObject({ account: "", endpoint: "https://files.example" });
    expect(shown(found)).toMatchObject({ credentials: { kind: "sas", token: "secret:sig=s" } });
  });

  test.each([
    ["AccountName=a;AccountKey=k;Nope=hunter22", /part that is not known: Nope/],
    ["AccountName=a;AccountKey=k;EndpointSuffix=.core.windows.net", /EndpointSuffix that starts with a dot/],
    ["AccountName=a;AccountKey=k;BlobEndpoint=https://a.blob.core.windows.net/box", /BlobEndpoint .* container/],
    ["AccountName=a;AccountKey=k;BlobEndpoint=http://127.0.0.1:10000/a/box", /BlobEndpoint .* container/],
    ["AccountName=a;AccountKey=k;BlobEndpoint=https://files.example/box", /BlobEndpoint .* container/],
  ])("the wrong part of the connection string %s is named", (connection_string, words) => {
    expect(() => azure({ connection_string })).toThrow(words);
  });

  test("an address with a container in it is refused", () => {
    expect(() => azure({}, { host: "https://acct.blob.core.windows.net/box", password: "k" })).toThrow(/container/);
    expect(() => azure({ account_host: "https://acct.blob.core.windows.net/box", account_key: "k" })).toThrow(
      /container/,
    );
  });

  test("anonymous only when asked, and the environment speaks only where there is no connection", () => {
    expect(azure({ account_name: "a", anon: "true" }).credentials).toEqual({ kind: "anonymous" });
    const env = { AZURE_STORAGE_ACCOUNT_NAME: "e", AZURE_STORAGE_ACCOUNT_KEY: "k" };
    expect(azure({ account_name: "a" }, {}, env).credentials.kind).toBe("default");
    expect(azure({}, {}, env)).toMatchObject({ account: "e", credentials: { kind: "default" } });
    expect(shown(azureOptions(undefined, env))).toMatchObject({ account: "e", credentials: { key: "secret:k" } });
    const sas = { AZURE_STORAGE_ACCOUNT_NAME: "e", AZURE_STORAGE_SAS_TOKEN: "?sig=x" };
    expect(shown(azureOptions(undefined, sas))).toMatchObject({ credentials: { kind: "sas", token: "secret:sig=x" } });
  });

  test.each([
    [{ account_name: "a", tenant_id: "T" }, { login: "cid" }, /tenant_id.*id and secret/],
    [{ account_name: "a", account_key: "k", sas_token: "sig=s" }, {}, /two kinds, shared-key and sas/],
    [{ account_name: "a", tenant_id: "T", sas_token: "s" }, { login: "c", password: "p" }, /two kinds/],
    [{ account_name: "a", shared_access_key: "x" }, {}, /shared_access_key/],
    [{ account_name: "NOT A NAME" }, {}, /account/],
    [{}, { host: "h.example", port: 10000, login: "a" }, /port/],
    [{}, { host: "https://acct.blob.core.windows.net?a=b", login: "a" }, /query/],
    [{ sas_token: "https://acct.blob.core.windows.net/" }, {}, /sas_token/],
    [{ account_name: "a", account_host: "ftp://h" }, {}, /account_host/],
  ])("%j with %j is InvalidArgument and named", (extra, more, name) => {
    const error = caught(() => azure(extra, more)) as Error;
    expect(isStorageError(error, "InvalidArgument"), String(error)).toBe(true);
    expect(error.message).toMatch(name);
  });

  test("the encryption scope is kept, with a connection string too", () => {
    expect(azure({ account_name: "a", encryption_scope: "e" }).encryptionScope).toBe("e");
    expect(azure({ connection_string: "AccountName=a;AccountKey=k", encryption_scope: "e" }).encryptionScope).toBe("e");
  });
});
