/** Credentials of S3 that are not written down: roles, web identities, profiles and sessions, on MinIO's own STS. */
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import * as sdk from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { pause } from "../../../../src/concurrency.js";
import type { ConnectionInput } from "../../../../src/connections/index.js";
import type { Storage } from "../../../../src/fs/storage.js";
import { openStorage } from "../../../../src/open.js";
import { s3Client } from "../../../servers/index.mjs";
import { describedS3, minioBinary } from "../../../servers/minio.mjs";
import { startProcess } from "../../../servers/process.mjs";
import { describeOn, type ServerOf, useBucket } from "../../../servers/use.js";
import { failed } from "../../../support/failed.js";
import { type Issuer, issuer, Signer } from "../../../support/issuer.js";
import { type Recorder, recordingProxy, through } from "../../../support/proxy.js";
import { useStorages } from "../../../support/storages.js";
import { noted, secret } from "../../../support/test-secrets.mjs";

const WEB = "assume_role_with_web_identity";
const ROLE = "arn:aws:iam::123456789012:role/reader";
/** A session policy: what is assumed with it may read and list, and nothing else. */
const READ_ONLY = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action: ["s3:GetObject", "s3:ListBucket"], Resource: ["arn:aws:s3:::*"] }],
});

/** A machine of nobody: what AWS's library finds is what a test gives it. */
function nobody(): void {
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  for (const name of ["AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"]) vi.stubEnv(name, "/nonexistent");
}

type Extra = Record<string, unknown>;
type S3 = ReturnType<typeof describedS3>;

/** One storage per test, on requests that are remembered; `stowage` reaches STS at the server itself. */
function opening(server: Pick<S3, "endpoint" | "connection">, proxy: () => Recorder) {
  const open = useStorages();
  return (extra: Extra, keys: Partial<ConnectionInput> = {}, env: Record<string, string> = {}): Storage => {
    nobody();
    proxy().clear();
    const record = through(server, proxy()).connection.extra;
    const sts = { service_config: { sts: { endpoint_url: server.endpoint } } };
    const it: ConnectionInput = { type: "aws", ...keys, extra: { ...record, ...sts, ...extra } };
    return open({ connections: { it }, env });
  };
}

const shown = (error: unknown) => inspect(error, { depth: 12, showHidden: true }) + JSON.stringify(error);

await describeOn("minio", "S3 roles, profiles and sessions", (server: ServerOf<"minio">) => {
  const bucket = useBucket(server);
  const keys = { login: server.accessKey, password: server.secretKey };
  let proxy: Recorder;
  let folder: string;
  const opened = opening(server as S3, () => proxy);
  const at = (key: string) => `s3://it@${bucket().name}/${key}`;

  beforeAll(async () => {
    proxy = await recordingProxy(server.endpoint);
    folder = await mkdtemp(join(tmpdir(), "stowage-aws-"));
    const client = await s3Client(server);
    await client.send(new sdk.PutObjectCommand({ Bucket: bucket().name, Key: "there", Body: "yes" }));
    client.destroy();
  });
  afterAll(async () => {
    await proxy.close();
    await rm(folder, { recursive: true });
  });

  /** The files of the AWS tools, with these sections. */
  async function profiles(text: string): Promise<void> {
    const file = join(folder, "credentials");
    await writeFile(file, text);
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", file);
  }
  const keysIn = (name: string) =>
    `[${name}]\naws_access_key_id=${server.accessKey}\naws_secret_access_key=${server.secretKey}\n`;

  test("a role is assumed by the keys of the connection, and its session policy holds", async () => {
    const storage = opened({ role_arn: ROLE, assume_role_kwargs: { Policy: READ_ONLY, DurationSeconds: 900 } }, keys);
    expect(await storage.text(at("there"))).toBe("yes");
    await expect(storage.write(at("no"), "x")).rejects.toMatchObject({ code: "PermissionDenied" });
    expect(proxy.requests.every(({ headers }) => headers["x-amz-security-token"])).toBe(true);
    expect(
      proxy.requests.some(({ headers }) => headers.authorization?.includes(`Credential=${server.accessKey}/`)),
    ).toBe(false);
  });

  test("of 20 calls at once one assumes the role", async () => {
    const sts = await recordingProxy(server.endpoint);
    const more = { service_config: { sts: { endpoint_url: sts.endpoint } } };
    const storage = opened({ role_arn: ROLE, ...more }, keys);
    await Promise.all(Array.from({ length: 20 }, () => storage.text(at("there"))));
    expect(sts.requests.map(({ method }) => method)).toEqual(["POST"]);
    await sts.close();
  });

  test("a role is assumed by the keys of a profile", async () => {
    const storage = opened({ role_arn: ROLE, profile_name: "worker", assume_role_kwargs: { Policy: READ_ONLY } });
    await profiles(keysIn("worker"));
    expect(await storage.text(at("there"))).toBe("yes");
    await expect(storage.write(at("no"), "x")).rejects.toMatchObject({ code: "PermissionDenied" });
  });

  test("a profile may itself name a role and who assumes it", async () => {
    const storage = opened({ profile_name: "reader" });
    await profiles(`${keysIn("worker")}[reader]\nrole_arn=${ROLE}\nsource_profile=worker\nregion=us-east-1\n`);
    vi.stubEnv("AWS_ENDPOINT_URL_STS", server.endpoint);
    expect(await storage.text(at("there"))).toBe("yes");
    expect(proxy.requests[0]?.headers["x-amz-security-token"]).toBeTruthy();
  });

  test("F18: keys that were replaced in the file are found: what was read before is not kept for the whole process", async () => {
    const storage = opened({ profile_name: "worker" });
    const [id, key, token] = await session(server as S3);
    await profiles(`[worker]\naws_access_key_id=${id}\naws_secret_access_key=${key}\naws_session_token=${token}\n`);
    expect(await storage.text(at("there"))).toBe("yes");
    const other = opened({ profile_name: "worker" });
    await profiles(keysIn("worker"));
    expect(await other.text(at("there"))).toBe("yes");
    expect(proxy.requests[0]?.headers.authorization).toContain(`Credential=${server.accessKey}/`);
  });

  test("AWS_PROFILE is the profile of a connection without keys", async () => {
    const storage = opened({}, {}, { AWS_PROFILE: "worker" });
    await profiles(keysIn("worker"));
    expect(await storage.text(at("there"))).toBe("yes");
  });

  test("a profile that is not there is Unauthenticated, named as such, and nothing is sent", async () => {
    const storage = opened({ profile_name: "nobody" });
    await profiles(keysIn("worker"));
    const error = await failed(storage.text(at("there")));
    expect(error).toMatchObject({ code: "Unauthenticated", detail: expect.stringContaining("profile") });
    expect(proxy.requests).toEqual([]);
  });

  test("a session token goes with its keys; without it the keys are refused", async () => {
    const [id, key, token] = await session(server as S3);
    const temporary = { login: id, password: key };
    expect(await opened({ aws_session_token: token }, temporary).text(at("there"))).toBe("yes");
    expect(proxy.requests[0]?.headers["x-amz-security-token"]).toBe(token);
    const error = await failed(opened({}, temporary).text(at("there")));
    expect(error).toMatchObject({ code: "Unauthenticated" });
    expect(shown(error)).not.toContain(key);
  });

  test("the variables AWS_ACCESS_KEY_ID, _SECRET_ACCESS_KEY and _SESSION_TOKEN serve where there is no connection", async () => {
    const [id, key, token] = await session(server as S3);
    const names = { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: key, AWS_SESSION_TOKEN: token };
    const storage = openStorage({ env: { ...names, AWS_ENDPOINT_URL_S3: server.endpoint } });
    expect(await storage.text(`s3://${bucket().name}/there`)).toBe("yes");
    await storage.close();
  });

  test("an STS that refuses is Unauthenticated; no request goes to S3, and no secret into the error", async () => {
    const wrong = secret();
    const error = await failed(opened({ role_arn: ROLE }, { ...keys, password: wrong }).text(at("there")));
    expect(error).toMatchObject({ code: "Unauthenticated", detail: expect.stringContaining("STS AssumeRole") });
    expect(shown(error)).not.toContain(wrong);
    expect(proxy.requests).toEqual([]);
  });

  test("anonymous access reads a public bucket unsigned, and only when it is asked for", async () => {
    const client = await s3Client(server);
    const Resource = [`arn:aws:s3:::${bucket().name}/there`];
    const Statement = [{ Effect: "Allow", Principal: "*", Action: ["s3:GetObject"], Resource }];
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement });
    await client.send(new sdk.PutBucketPolicyCommand({ Bucket: bucket().name, Policy }));
    client.destroy();
    for (const asked of [{ anon: true }, { config_kwargs: { signature_version: "unsigned" } }]) {
      expect(await opened(asked).text(at("there"))).toBe("yes");
      expect(proxy.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    }
    const error = await failed(opened({}).text(at("there")));
    expect(error).toMatchObject({ code: "Unauthenticated", detail: expect.stringContaining("AWS_ACCESS_KEY_ID") });
    expect(proxy.requests).toEqual([]);
  });
});

/** Temporary keys of MinIO's STS, by AWS's own library. */
async function session(server: S3): Promise<[id: string, key: string, token: string]> {
  const { fromTemporaryCredentials } = await import("@aws-sdk/credential-providers");
  const { accessKeyId, secretAccessKey, sessionToken } = await fromTemporaryCredentials({
    params: { RoleArn: ROLE, RoleSessionName: "test" },
    masterCredentials: { accessKeyId: server.accessKey, secretAccessKey: server.secretKey },
    clientConfig: { region: "us-east-1", endpoint: server.endpoint },
  })();
  return [accessKeyId, noted(secretAccessKey), noted(sessionToken ?? "")];
}

const minio = await minioBinary().catch(() => undefined);

describe.skipIf(!minio && !process.env.CI)("S3 web identities, by an OpenID provider that MinIO trusts", () => {
  const CLIENT = "stowage-tests";
  const arn = `arn:minio:iam:::role/${createHash("sha1").update(CLIENT).digest("base64url")}`;
  const signer = new Signer();
  const stranger = new Signer();
  let provider: Issuer;
  let server: S3;
  let proxy: Recorder;
  let folder: string;
  let stop: () => Promise<void>;
  const opened = opening(
    {
      get endpoint() {
        return server.endpoint;
      },
      get connection() {
        return server.connection;
      },
    } as S3,
    () => proxy,
  );

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stowage-oidc-"));
    provider = await issuer(({ url, headers }) => {
      const issuer = `http://${headers.host}`;
      const places = {
        jwks_uri: `${issuer}/keys`,
        token_endpoint: `${issuer}/token`,
        userinfo_endpoint: `${issuer}/me`,
      };
      if (url.pathname === "/.well-known/openid-configuration")
        return { issuer, authorization_endpoint: `${issuer}/authorize`, ...places };
      if (url.pathname === "/keys") return signer.jwks;
      // What Google's metadata server answers for an instance: a token for the audience that was asked for.
      if (headers["metadata-flavor"] === "Google") return identity(signer, { aud: url.searchParams.get("audience") });
      return 404;
    });
    const password = secret();
    const running = await startProcess({
      name: "minio-oidc",
      plan: ({ port, folder: place }) => ({
        command: minio!,
        args: ["server", "--quiet", "--address", `127.0.0.1:${port}`, join(place, "data")],
        env: {
          ...{ MINIO_ROOT_USER: "stowage", MINIO_ROOT_PASSWORD: password, MINIO_BROWSER: "off", MINIO_UPDATE: "off" },
          MINIO_IDENTITY_OPENID_CONFIG_URL: `http://${provider.host}/.well-known/openid-configuration`,
          MINIO_IDENTITY_OPENID_CLIENT_ID: CLIENT,
          MINIO_IDENTITY_OPENID_ROLE_POLICY: "readwrite",
        },
        ready: `http://127.0.0.1:${port}/minio/health/ready`,
      }),
    });
    stop = running.stop;
    server = describedS3(`http://127.0.0.1:${running.port}`, "stowage", password, false, stop);
    proxy = await recordingProxy(server.endpoint);
    const client = await s3Client(server);
    await client.send(new sdk.CreateBucketCommand({ Bucket: "web" }));
    client.destroy();
    // MinIO says that it is ready before it has its roles.
    for (let tries = 0; tries < 200 && (await isRoleUnknown()); tries++) await pause(50, undefined);
  });
  async function isRoleUnknown(): Promise<boolean> {
    const query = {
      Action: "AssumeRoleWithWebIdentity",
      Version: "2011-06-15",
      RoleArn: arn,
      WebIdentityToken: "none",
    };
    const answer = await fetch(`${server.endpoint}/?${new URLSearchParams(query)}`, { method: "POST" });
    return (await answer.text()).includes("is not defined");
  }
  afterAll(async () => {
    await proxy.close();
    await stop();
    await provider.close();
    await rm(folder, { recursive: true });
  });

  /** What Kubernetes puts into a pod: a token of an hour for one audience. */
  function identity(by: Signer, more: object = {}): string {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: `http://${provider.host}`, sub: "system:serviceaccount:jobs:worker", aud: CLIENT };
    return noted(by.token({ ...claims, iat: now, exp: now + 3600, ...more }));
  }
  async function tokenFile(token: string): Promise<string> {
    const file = join(folder, "token");
    await writeFile(file, `${token}\n`);
    return file;
  }
  const fromFile = (file: string): Extra => ({
    ...{ role_arn: arn, assume_role_method: WEB, region_name: "us-east-1" },
    ...{ [`${WEB}_federation`]: "file", [`${WEB}_token_file`]: file },
  });

  test("a token of a file is exchanged for keys, which write and read", async () => {
    const storage = opened(fromFile(await tokenFile(identity(signer))));
    await storage.write("s3://it@web/a", "by web identity");
    expect(await storage.text("s3://it@web/a")).toBe("by web identity");
    expect(proxy.operations()).toEqual({ write: 1, read: 1 });
    expect(proxy.requests.every(({ headers }) => headers["x-amz-security-token"])).toBe(true);
  });

  test("IRSA: what EKS puts into a pod's environment is enough, without a connection", async () => {
    nobody();
    const AWS_WEB_IDENTITY_TOKEN_FILE = await tokenFile(identity(signer));
    const places = { AWS_ENDPOINT_URL_S3: proxy.endpoint, AWS_ENDPOINT_URL_STS: server.endpoint };
    const storage = openStorage({ env: { AWS_ROLE_ARN: arn, AWS_WEB_IDENTITY_TOKEN_FILE, ...places } });
    await storage.write("s3://web/irsa", "pod");
    expect(await storage.text("s3://web/irsa")).toBe("pod");
    await storage.close();
  });

  test("the token of Google's metadata server is exchanged in the same way", async () => {
    const google = { [`${WEB}_federation`]: "google", [`${WEB}_federation_audience`]: CLIENT };
    const role = { role_arn: arn, assume_role_method: WEB };
    const storage = opened({ ...role, ...google }, {}, { GCE_METADATA_HOST: provider.host });
    await storage.write("s3://it@web/google", "instance");
    expect(await storage.text("s3://it@web/google")).toBe("instance");
  });

  test("the session policy of assume_role_kwargs holds here too", async () => {
    const file = await tokenFile(identity(signer));
    const storage = opened({ ...fromFile(file), assume_role_kwargs: { Policy: READ_ONLY } });
    await expect(storage.write("s3://it@web/b", "x")).rejects.toMatchObject({ code: "PermissionDenied" });
  });

  test.each([
    ["of a stranger", () => identity(stranger)],
    ["for another audience", () => identity(signer, { aud: "somebody-else" })],
    ["that has expired", () => identity(signer, { exp: Math.floor(Date.now() / 1000) - 60 })],
  ])("a token %s is Unauthenticated: nothing goes to S3, and the token into no message", async (_, make) => {
    const token = make();
    const error = await failed(opened(fromFile(await tokenFile(token))).text("s3://it@web/a"));
    expect(error).toMatchObject({ code: "Unauthenticated", detail: expect.stringContaining("WebIdentity") });
    expect(shown(error)).not.toContain(token.split(".")[2]);
    expect(proxy.requests).toEqual([]);
  });

  test("a token file that is missing is Unauthenticated and named", async () => {
    const error = await failed(opened(fromFile(join(folder, "nothing"))).text("s3://it@web/a"));
    expect(error).toMatchObject({ code: "Unauthenticated", detail: expect.stringContaining("ENOENT") });
  });
});
