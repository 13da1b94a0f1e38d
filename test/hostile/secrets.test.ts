import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Connection,
  isSecretName,
  parseConnection,
  revealed,
  Secret,
  toConnection,
} from "../../src/connections/index.js";
import { azureOptions } from "../../src/fs/drivers/azure/connection.js";
import { gcsOptions } from "../../src/fs/drivers/gcs/connection.js";
import { s3Options } from "../../src/fs/drivers/s3/connection.js";

/** Everything that a log, a debugger or a report may show of a value. */
function shownAnyhow(value: unknown): string {
  const deep = { depth: 20, showHidden: true, compact: false } as const;
  const parts = [
    String(value),
    JSON.stringify(value),
    inspect(value),
    inspect(value, deep),
    inspect([{ value }], deep),
  ];
  return parts.join("\n");
}

function shownError(run: () => unknown): string {
  try {
    return shownAnyhow(run());
  } catch (error) {
    const { stack, message, cause } = error as Error;
    return [shownAnyhow(error), stack, message, inspect(cause)].join("\n");
  }
}

describe("a Secret", () => {
  const secret = new Secret("hunter22");

  test("shows its value to reveal() only", () => {
    expect(secret.reveal()).toBe("hunter22");
    expect(shownAnyhow(secret)).not.toContain("hunter22");
    expect(Object.getOwnPropertyNames(secret)).toEqual([]);
  });

  test("does not survive a copy by structured clone, so no message port carries it", () => {
    expect(inspect(structuredClone({ secret }))).not.toContain("hunter22");
  });
});

describe("which names of an extra are secret", () => {
  test.each([
    ...["aws_secret_access_key", "aws_session_token", "secretAccessKey", "password", "passwd", "db_password", "secret"],
    ...["token", "sas_token", "sas_url", "account_key", "connection_string", "connectionString", "keyfile_dict"],
    ...[
      "private_key",
      "private_key_passphrase",
      "private_key_base64",
      "client_secret",
      "passphrase",
      "api_key",
      "apiKey",
    ],
    ...["apikey", "x-api-key", "api key", "signer_token", "SSECustomerKey", "TokenCode", "Authorization", "password2"],
    ...["extra__aws__aws_secret_access_key", "extra__google_cloud_platform__keyfile_dict", "service_account_json"],
    ...["shared_access_key", "credentials", "SAMLAssertion", "gcs.oauth2.token", "access_token", "PASSWORD"],
  ])("%s is", (name) => expect(isSecretName(name)).toBe(true));

  test.each([
    ...["key_path", "profile_name", "endpoint_url", "aws_access_key_id", "key_secret_name", "key_secret_project_id"],
    ...[
      "private_key_id",
      "token_uri",
      "token_url",
      "service_account",
      "client_email",
      "client_id",
      "tenant_id",
      "login",
    ],
    ...["assume_role_with_web_identity_token_file", "region_name", "role_arn", "no_host_key_check", "kms_key_name"],
    ...["SSEKMSKeyId", "addressing_style", "project", "scope", "account_name", "account_host", "session_kwargs"],
    ...[
      "client_secret_auth_config",
      "managed_identity_client_id",
      "credential_config_file",
      "ExternalId",
      "password_hash_rounds",
    ],
  ])("%s is not", (name) => expect(isSecretName(name)).toBe(false));
});

describe("what a connection seals", () => {
  const sealedExtra = (extra: Record<string, unknown>) => toConnection("a", { type: "aws", extra }).extra;

  test("every leaf below a secret name, numbers included, and keeps its shape", () => {
    const extra = sealedExtra({ keyfile_dict: { type: "t", ids: ["a", 1], none: null, flag: true } });
    expect(extra).toEqual({
      keyfile_dict: { type: expect.any(Secret), ids: [expect.any(Secret), expect.any(Secret)], none: null, flag: true },
    });
    expect(revealed(extra)).toEqual({ keyfile_dict: { type: "t", ids: ["a", "1"], none: null, flag: true } });
  });

  test("secret names at any depth", () => {
    const extra = sealedExtra({ service_config: { s3: { signer_token: "T", endpoint_url: "https://h" } } });
    expect(extra).toEqual({ service_config: { s3: { signer_token: expect.any(Secret), endpoint_url: "https://h" } } });
  });

  test.each([
    "https://user:pw@proxy:3128",
    "https://a.blob.core.windows.net/c?sv=1&sig=abc",
    "sv=2020&sig=abc",
    "https://b.s3.amazonaws.com/k?X-Amz-Signature=abc",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=k",
    "-----BEGIN RSA PRIVATE KEY-----\nabc",
    '{"aws_secret_access_key":"abc"}',
  ])("a value that is a secret by itself, whatever its name is: %s", (value) => {
    expect(sealedExtra({ plain: value }).plain).toBeInstanceOf(Secret);
  });

  test.each(["https://h:9000/p?region=x", "arn:aws:iam::1:role/r", "eu-west-1", "a@b.c", ""])("but not %j", (value) => {
    expect(sealedExtra({ plain: value }).plain).toBe(value);
  });

  test("an extra that is no JSON object is sealed whole", () => {
    expect(parseConnection('{"conn_type":"x","extra":"hunter22"}').extra.__extra__).toBeInstanceOf(Secret);
  });

  test("a host with a user or a SAS, and a schema that a wrong text filled, are not shown", () => {
    for (const host of ["https://u:hunter22@h", "https://a.blob.core.windows.net/?sig=hunter22", "h?hunter22"]) {
      expect(shownAnyhow(toConnection("a", { type: "wasb", host }))).not.toContain("hunter22");
    }
    expect(shownAnyhow(parseConnection("aws://AKIA/X:hunter22@/"))).not.toContain("hunter22");
    expect(shownAnyhow(parseConnection("aws_thing://k:hunter22@h"))).not.toContain("hunter22");
  });

  test("what is no secret is shown, or a log could not tell connections apart", () => {
    const text = '{"conn_type":"aws","login":"AKIA","password":"x","host":"h.example","extra":{"region_name":"eu"}}';
    expect(inspect(parseConnection(text, "my_conn"))).toMatch(/my_conn.*aws.*h\.example.*AKIA.*redacted.*eu/s);
  });
});

/** Unmistakable, and with the characters that take URIs and JSON apart. */
const secretText = fc
  .tuple(
    fc.stringMatching(/^[A-Za-z0-9]{12}$/),
    fc.constantFrom("", "/", "+", "=", "%", '"', "&", "@", ":", "é", "\\", "?", "#"),
  )
  .map(([core, odd]) => ({ core: `zq${core}`, text: `zq${core}${odd}x` }));

const SECRET_FIELDS = ["aws_secret_access_key", "aws_session_token", "sas_token", "account_key", "connection_string"];
const GOOGLE_FIELDS = ["keyfile_dict", "client_secret", "private_key", "api_key", "extra__wasb__account_key"];

function connectionsWith(secret: string, field: string): (() => Connection)[] {
  const record = {
    conn_type: "aws",
    login: "l",
    password: secret,
    extra: { [field]: secret, nested: { [field]: [secret] } },
  };
  const encoded = encodeURIComponent(secret);
  return [
    () => parseConnection(JSON.stringify(record), "a"),
    () => parseConnection(`aws://l:${encoded}@/?${field}=${encoded}`, "a"),
    () => parseConnection(`wasb://l:${encoded}@h/?__extra__=${encodeURIComponent(JSON.stringify(record.extra))}`, "a"),
    () => parseConnection(JSON.stringify(record).slice(0, -2), "a"),
    () => parseConnection(`google-cloud-platform://l:${secret}@h:80/?${field}=${encoded}`, "a"),
    () => toConnection("a", { type: "wasb", password: new Secret(secret), extra: record.extra }),
  ];
}

test("no secret shows in a connection, in the options made of it, or in the error of a refused one", () => {
  fc.assert(
    fc.property(secretText, fc.constantFrom(...SECRET_FIELDS, ...GOOGLE_FIELDS), ({ core, text }, field) => {
      for (const make of connectionsWith(text, field)) {
        expect(shownError(make)).not.toContain(core);
        expect(shownError(() => ({ ...make() }))).not.toContain(core);
        for (const options of [s3Options, gcsOptions, azureOptions]) {
          expect(shownError(() => options(make(), {}))).not.toContain(core);
        }
      }
    }),
    { numRuns: 300 },
  );
});
