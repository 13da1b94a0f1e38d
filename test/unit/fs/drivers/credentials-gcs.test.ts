/**
 * Credentials of Google, by Google's own library, and storage on fake-gcs-server. What cannot be real here is Google's
 * token service: a server on this machine stands for oauth2, iamcredentials, sts and the metadata server. It checks
 * signatures and tokens as they do; the library's requests get to it through a proxy that ends all tunnels there.
 */
import { createPublicKey, verify } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Storage } from "../../../../src/fs/storage.js";
import { selfSigned } from "../../../servers/certificate.mjs";
import { describeOn, type ServerOf, useBucket } from "../../../servers/use.js";
import { failed } from "../../../support/failed.js";
import { answer, type FaultProxy, faultProxy } from "../../../support/faults.js";
import { type Asked, type Issuer, issuer, type Said, Signer, tunnels } from "../../../support/issuer.js";
import { useStorages } from "../../../support/storages.js";
import { noted, secret } from "../../../support/test-secrets.mjs";

const ACCOUNT = "worker@project-a.iam.gserviceaccount.com";
const TOKEN_SERVICE = "https://oauth2.googleapis.com/token";
const CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform";

await describeOn("fake-gcs", "Google's credentials", (server: ServerOf<"fake-gcs">) => {
  const bucket = useBucket(server);
  const signer = new Signer();
  const user = { client_id: "desktop", client_secret: secret(), refresh_token: secret() };
  let folder: string;
  let google: Issuer;
  let proxy: FaultProxy;
  let tunnel: Awaited<ReturnType<typeof tunnels>>;
  let metadata: Issuer;
  const open = useStorages();
  /** Tells the tokens of an account apart, where it gets more than one. */
  let round = "";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stowage-google-"));
    await selfSigned(folder);
    const [key, cert] = await Promise.all(["private.key", "public.crt"].map((name) => readFile(join(folder, name))));
    google = await issuer(say, ((listener: () => void) => createServer({ key: key!, cert: cert! }, listener)) as never);
    metadata = await issuer(instance);
    tunnel = await tunnels(google.host);
    proxy = await faultProxy(server.endpoint);
  });
  afterAll(async () => {
    await Promise.all([google.close(), metadata.close(), tunnel.close(), proxy.close()]);
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    round = "";
    for (const seen of [google.asked, metadata.asked]) seen.length = 0;
    proxy.clear();
    vi.stubEnv("HTTPS_PROXY", `http://${tunnel.host}`);
    vi.stubEnv("NO_PROXY", "127.0.0.1");
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    // A machine of nobody: what the library finds is what a test gives it.
    vi.stubEnv("HOME", folder);
    vi.stubEnv("METADATA_SERVER_DETECTION", "none");
    vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", undefined);
  });

  /** Google's token service. */
  function say(asked: Asked): Said {
    const { url, headers } = asked;
    const form = new URLSearchParams(asked.body);
    if (url.hostname === "oauth2.googleapis.com") return form.has("assertion") ? ofAccount(form) : ofUser(form);
    if (url.hostname === "sts.googleapis.com")
      return form.get("subject_token") === "SUBJECT" ? bearer("federated") : 401;
    if (url.hostname !== "iamcredentials.googleapis.com") return 404;
    if (!headers.authorization?.startsWith("Bearer account-token")) return 403;
    if (url.pathname.endsWith(":signBlob")) return { keyId: "1", signedBlob: Buffer.from("signed").toString("base64") };
    return { accessToken: "impersonated-token", expireTime: new Date(Date.now() + 3_600_000).toISOString() };
  }
  const bearer = (token: string) => ({ access_token: `${token}-token`, expires_in: 3600, token_type: "Bearer" });

  /** A token for who holds the account's key: signed with it, made out to this service, not older than an hour. */
  function ofAccount(form: URLSearchParams): Said {
    const [head = "", claims = "", signature = ""] = (form.get("assertion") ?? "").split(".");
    const { iss, aud, exp, scope } = JSON.parse(Buffer.from(claims, "base64url").toString());
    const key = createPublicKey(signer.publicKey.export({ type: "spki", format: "pem" }));
    const isOwn = verify("RSA-SHA256", Buffer.from(`${head}.${claims}`), key, Buffer.from(signature, "base64url"));
    const isGood = isOwn && iss === ACCOUNT && aud === TOKEN_SERVICE && exp * 1000 > Date.now();
    return isGood ? bearer(`account-token-for ${scope}${round}`) : 401;
  }
  function ofUser(form: URLSearchParams): Said {
    const isKnown = Object.entries(user).every(([name, value]) => form.get(name) === value);
    return isKnown ? bearer("user") : 401;
  }
  /** What the metadata server of GKE and Compute Engine answers to a pod or machine with an account. */
  function instance({ url, headers }: Asked): Said {
    if (headers["metadata-flavor"] !== "Google") return 403;
    if (url.pathname.endsWith("/service-accounts/default/token")) return bearer("instance");
    return url.pathname.endsWith("/email") ? ACCOUNT : "project-a";
  }

  const keyOf = (by: Signer) => {
    // A line of it alone: the first one is the same in every key.
    noted(by.pem.split("\n")[3]!);
    return {
      ...{ type: "service_account", project_id: "project-a", private_key_id: "1", client_id: "1" },
      ...{ client_email: ACCOUNT, private_key: by.pem, token_uri: TOKEN_SERVICE },
    };
  };
  async function file(content: object): Promise<string> {
    const path = join(folder, "credentials.json");
    await writeFile(path, JSON.stringify(content));
    return path;
  }
  function opened(extra: Record<string, unknown>): Storage {
    const it = { type: "google_cloud_platform", extra: { ...extra, "gcs.endpoint": proxy.endpoint } };
    return open({ connections: { it }, env: {} });
  }
  const at = () => `gs://it@${bucket().name}/key`;
  /** Writes and reads, and tells by whose token. */
  async function used(storage: Storage): Promise<string[]> {
    await storage.write(at(), "value");
    expect(await storage.text(at())).toBe("value");
    return [...new Set(proxy.requests.map(({ headers }) => String(headers.authorization)))];
  }

  test("keyfile_dict signs for its account, as an object and as text", async () => {
    for (const keyfile_dict of [keyOf(signer), JSON.stringify(keyOf(signer))]) {
      expect(await used(opened({ keyfile_dict }))).toEqual([`Bearer account-token-for ${CLOUD_PLATFORM}-token`]);
    }
    expect(google.asked).toHaveLength(2);
  });

  test("key_path is read, and gcs.access and scope narrow what the token is for", async () => {
    const key_path = await file(keyOf(signer));
    const read = "https://www.googleapis.com/auth/devstorage.read_only";
    expect(await used(opened({ key_path, "gcs.access": "read_only" }))).toEqual([
      `Bearer account-token-for ${read}-token`,
    ]);
    proxy.clear();
    expect(await used(opened({ key_path, scope: "a,b" }))).toEqual(["Bearer account-token-for a b-token"]);
  });

  test("impersonation_chain acts as its last account, by way of the others, with the key's own token", async () => {
    const chain = { impersonation_chain: "between@p.iam, target@p.iam" };
    expect(await used(opened({ keyfile_dict: keyOf(signer), ...chain }))).toEqual(["Bearer impersonated-token"]);
    const [, impersonation] = google.asked;
    expect(impersonation?.url.pathname).toBe("/v1/projects/-/serviceAccounts/target@p.iam:generateAccessToken");
    expect(JSON.parse(impersonation!.body)).toMatchObject({ delegates: ["between@p.iam"], scope: [CLOUD_PLATFORM] });
  });

  test("an impersonated account signs by IAM, in its own name", async () => {
    const storage = opened({ keyfile_dict: keyOf(signer), impersonation_chain: "target@p.iam" });
    const signed = new URL((await storage.signedUrl(at())).url);
    expect(signed.searchParams.get("X-Goog-Credential")).toMatch(/^target@p\.iam\//);
    expect(signed.searchParams.get("X-Goog-Signature")).toBe(Buffer.from("signed").toString("hex"));
  });

  test("ADC takes the key that GOOGLE_APPLICATION_CREDENTIALS names", async () => {
    vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", await file(keyOf(signer)));
    expect(await used(opened({}))).toEqual([`Bearer account-token-for ${CLOUD_PLATFORM}-token`]);
  });

  test("ADC takes what gcloud has left behind of a user", async () => {
    vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", await file({ type: "authorized_user", ...user }));
    expect(await used(opened({}))).toEqual(["Bearer user-token"]);
  });

  test("GKE's workload identity and Compute Engine: the metadata server gives the token, and no key is needed", async () => {
    vi.stubEnv("METADATA_SERVER_DETECTION", "assume-present");
    vi.stubEnv("GCE_METADATA_HOST", metadata.host);
    expect(await used(opened({}))).toEqual(["Bearer instance-token"]);
    expect(google.asked).toEqual([]);
  });

  test("credential_config_file exchanges the token of another cloud", async () => {
    const source = join(folder, "subject");
    await writeFile(source, "SUBJECT");
    const credential_config_file = await file({
      type: "external_account",
      audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      token_url: "https://sts.googleapis.com/v1/token",
      credential_source: { file: source },
    });
    expect(await used(opened({ credential_config_file }))).toEqual(["Bearer federated-token"]);
  });

  test("F18 A03: a chunk that is refused for an expired token is sent again with the next one, in the same upload", async () => {
    const storage = opened({ keyfile_dict: keyOf(signer) });
    const data = Buffer.alloc(40 * 2 ** 20, "0123456789abcdef-");
    await storage.exists(at());
    round = " again";
    proxy.clear();
    proxy.plant({ on: { operation: "part" }, skip: 1, fault: answer(401) });
    await storage.write(at(), data);
    expect(proxy.operations()).toEqual({ begin: 1, part: 4 });
    const last = proxy.requests.at(-1)?.headers.authorization;
    expect(last).toBe(`Bearer account-token-for ${CLOUD_PLATFORM} again-token`);
    expect(google.asked).toHaveLength(2);
    expect(data.equals(await storage.bytes(at()))).toBe(true);
    expect(proxy.pending()).toEqual([]);
  });

  test("a key that Google does not know is Unauthenticated: nothing goes to storage, and no key into the error", async () => {
    const stranger = keyOf(new Signer());
    const error = await failed(opened({ keyfile_dict: stranger }).text(at()));
    expect(error).toMatchObject({ code: "Unauthenticated" });
    expect(inspect(error, { depth: 12, showHidden: true })).not.toContain(stranger.private_key.split("\n")[3]);
    expect(proxy.requests).toEqual([]);
  });

  test.each([
    ["a machine without any", {}],
    ["impersonation without a source", { impersonation_chain: "target@p.iam" }],
    ["a key file that is missing", { key_path: "/nonexistent.json" }],
    [
      "a federation whose file is missing",
      { credential_config_file: "/nonexistent.json", idp_issuer_url: "https://i", client_id: "c", client_secret: "s" },
    ],
  ])("A01: %s is Unauthenticated, and never anonymous", async (_, extra) => {
    expect(await failed(opened(extra).text(at()))).toMatchObject({ name: "StorageError", code: "Unauthenticated" });
    expect(proxy.requests).toEqual([]);
  });

  test("anonymous access is asked for, and sends no token", async () => {
    expect(await used(opened({ is_anonymous: true }))).toEqual(["undefined"]);
    expect([...google.asked, ...metadata.asked]).toEqual([]);
  });
});
