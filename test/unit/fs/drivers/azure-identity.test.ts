/** Tokens of Azure's own library, from endpoints on loopback, and what the driver does with them. */
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer as createPlain, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecure } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { inspect } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { OperationContext } from "../../../../src/fs/driver/driver.js";
import { selfSigned } from "../../../servers/certificate.mjs";
import { openDriver } from "../../../support/azure.js";
import { noted } from "../../../support/test-secrets.mjs";

const CALL: OperationContext = { op: "stat", ifAbsent: false, ifMatch: false };

interface Seen {
  method: string;
  url: URL;
  headers: IncomingMessage["headers"];
  form: URLSearchParams;
}

/** A server that remembers what it was asked, and answers with what `say` gives. */
async function listening(
  make: (listener: (q: IncomingMessage, r: ServerResponse) => void) => Server,
  say: (seen: Seen) => object | number,
) {
  const seen: Seen[] = [];
  const server = make(async (request, response) => {
    const one = {
      method: request.method ?? "",
      url: new URL(request.url ?? "/", "http://x"),
      headers: request.headers,
      form: new URLSearchParams(await text(request)),
    };
    seen.push(one);
    const said = say(one);
    if (typeof said === "number") response.writeHead(said, { etag: '"1"', "content-length": "0" }).end();
    else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(said));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { seen, close, origin: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

type Listening = Awaited<ReturnType<typeof listening>>;

describe("identities", () => {
  let service: Listening;
  const refused = new Set<string>();

  beforeEach(async () => {
    refused.clear();
    service = await listening(createPlain as never, ({ headers, method }) => {
      if (refused.has(String(headers.authorization))) return 401;
      return method === "PUT" ? 201 : 200;
    });
  });
  afterEach(() => {
    service.close();
    vi.unstubAllEnvs();
  });
  const at = (extra: object) => ({
    type: "wasb",
    extra: { account_host: `http://${service.origin}/account`, account_name: "account", ...extra },
  });
  const bearers = () => service.seen.map(({ headers }) => headers.authorization);

  describe("of a machine", () => {
    let identity: Listening;
    const secret = noted(randomUUID());
    let issued: number;

    // One for all: the library keeps the first that it finds for the whole process.
    beforeAll(async () => {
      identity = await listening(createPlain as never, () => ({
        access_token: `token-${++issued}`,
        expires_on: String(Math.floor(Date.now() / 1000) + 3600),
        resource: "https://storage.azure.com",
        token_type: "Bearer",
      }));
    });
    afterAll(() => identity.close());
    beforeEach(() => {
      issued = 0;
      identity.seen.length = 0;
      vi.stubEnv("IDENTITY_ENDPOINT", `http://${identity.origin}/token`);
      vi.stubEnv("IDENTITY_HEADER", secret);
    });

    it("of 100 calls at once, one asks for the token that all of them send", async () => {
      const client = randomUUID();
      const ours = await openDriver("c", at({ managed_identity_client_id: client }));
      await Promise.all(Array.from({ length: 100 }, () => ours.stat("x")));
      expect(new Set(bearers())).toEqual(new Set(["Bearer token-1"]));
      expect(identity.seen).toHaveLength(1);
      const [{ url, headers }] = identity.seen as [Seen];
      expect(url.searchParams.get("client_id")).toBe(client);
      expect(url.searchParams.get("resource")).toMatch(/^https:\/\/storage\.azure\.com/);
      expect(headers["x-identity-header"]).toBe(secret);
      await ours.driver.close();
    });

    it("a managed and a workload identity together steer the default chain, each in its own place", async () => {
      const ids = { managed_identity_client_id: randomUUID(), workload_identity_client_id: randomUUID() };
      const ours = await openDriver("c", at({ ...ids, workload_identity_tenant_id: randomUUID() }));
      await ours.stat("x");
      expect(identity.seen[0]?.url.searchParams.get("client_id")).toBe(ids.managed_identity_client_id);
      await ours.driver.close();
    });

    it("a token that is refused and that the library keeps is Unauthenticated, and no message shows it", async () => {
      refused.add("Bearer token-1");
      const ours = await openDriver("c", at({ managed_identity_client_id: randomUUID() }));
      const error = await ours.stat("x").catch((reason: unknown) => reason);
      expect(ours.driver.codeOf(error, CALL)).toBe("Unauthenticated");
      expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/token-1/);
      await ours.driver.close();
    });

    it("a machine without an identity is Unauthenticated; nothing is sent to the service", async () => {
      identity.close();
      const ours = await openDriver("c", at({ managed_identity_client_id: randomUUID() }));
      const error = await ours.stat("x").catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "Unauthenticated" });
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(secret);
      expect(service.seen).toEqual([]);
      await ours.driver.close();
    });

    it("A01: where the default chain finds nobody, the error names what was tried", async () => {
      vi.stubEnv("AZURE_TOKEN_CREDENTIALS", "prod");
      vi.stubEnv("IDENTITY_ENDPOINT", undefined);
      const ours = await openDriver("c", at({}));
      const error = await ours.stat("x").catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: "Unauthenticated",
        detail: expect.stringContaining("EnvironmentCredential"),
      });
      await ours.driver.close();
    });
  });

  describe("of an application", () => {
    let folder: string;
    let login: Listening;
    const secret = noted(randomUUID());
    let issued: number;
    let says: (seen: Seen) => object | number;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "stowage-login-"));
      await selfSigned(folder);
      const [key, cert] = await Promise.all(["private.key", "public.crt"].map((name) => readFile(join(folder, name))));
      login = await listening(
        ((listener: () => void) => createSecure({ key: key!, cert: cert! }, listener)) as never,
        (seen) => says(seen),
      );
    });
    afterAll(async () => {
      login.close();
      await rm(folder, { recursive: true });
    });
    beforeEach(() => {
      // The library takes its authority by https only, and no certificate of a test's own.
      vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
      login.seen.length = 0;
      issued = 0;
      says = ({ url, form }) => {
        if (form.has("grant_type")) return { access_token: `app-${++issued}`, token_type: "Bearer", expires_in: 3600 };
        const place = `https://${login.origin}${url.pathname.split("/.well-known")[0]}`;
        return {
          issuer: place,
          token_endpoint: `${place}/token`,
          authorization_endpoint: `${place}/authorize`,
          jwks_uri: `${place}/keys`,
        };
      };
    });
    const principal = () => ({
      ...at({ tenant_id: "adfs", client_secret_auth_config: { authority: login.origin } }),
      login: "the-client",
      password: secret,
    });
    const grants = () => login.seen.filter(({ form }) => form.has("grant_type"));

    it("its id and secret go to the authority of the connection, and its token to the service", async () => {
      const ours = await openDriver("c", principal());
      await ours.stat("x");
      expect(bearers()).toEqual(["Bearer app-1"]);
      expect(grants().map(({ form }) => [form.get("client_id"), form.get("client_secret")])).toEqual([
        ["the-client", secret],
      ]);
      await ours.driver.close();
    });

    it("of 100 calls whose token is refused, one gets the next, and all succeed", async () => {
      const ours = await openDriver("c", principal());
      await ours.stat("x");
      refused.add("Bearer app-1");
      await Promise.all(Array.from({ length: 100 }, () => ours.stat("x")));
      expect(grants()).toHaveLength(2);
      expect(new Set(bearers())).toEqual(new Set(["Bearer app-1", "Bearer app-2"]));
      refused.add("Bearer app-2");
      const batch = ours.delete("a", "b");
      await batch.catch(() => {});
      expect(bearers().at(-1)).toBe("Bearer app-3");
      await ours.driver.close();
    });

    it("F18 A03: a block that is refused for an expired token is sent again with the next one, in the same upload", async () => {
      const ours = await openDriver("c", principal());
      await ours.stat("x");
      async function* body() {
        for (let i = 0; i < 4; i++) {
          if (i === 2) refused.add("Bearer app-1");
          yield Buffer.alloc(8 * 2 ** 20);
        }
      }
      await ours.write("x", body());
      const blocks = service.seen.filter(({ url }) => url.searchParams.get("comp") === "block");
      const kept = blocks.filter(({ headers }) => headers.authorization === "Bearer app-2");
      expect(blocks.length).toBeGreaterThan(4);
      expect(kept.length).toBeGreaterThan(0);
      expect(service.seen.at(-1)?.url.searchParams.get("comp")).toBe("blocklist");
      expect(bearers().at(-1)).toBe("Bearer app-2");
      expect(grants()).toHaveLength(2);
      await ours.driver.close();
    });

    it("a workload identity sends the token of its file", async () => {
      const file = join(folder, "federated");
      await writeFile(file, noted(randomUUID()));
      vi.stubEnv("AZURE_AUTHORITY_HOST", `https://${login.origin}`);
      const { openAzure } = await import("../../../../src/fs/drivers/azure/open.js");
      const { resolveConnections } = await import("../../../../src/connections/index.js");
      const { TestDriver, SHARED } = await import("../../../support/test-driver.js");
      const ids = { workload_identity_client_id: "the-client", workload_identity_tenant_id: "adfs" };
      const connection = await resolveConnections({ it: at(ids) }, {}).get("it");
      const ours = new TestDriver(
        await openAzure("c", connection, { ...SHARED, env: { AZURE_FEDERATED_TOKEN_FILE: file } }),
      );
      await ours.stat("x");
      expect(bearers()).toEqual(["Bearer app-1"]);
      expect(grants()[0]?.form.get("client_assertion")).toBe(await readFile(file, "utf8"));
      await ours.driver.close();
    });

    it("a secret that the authority refuses is Unauthenticated, and no message shows it", async () => {
      const usual = says;
      says = (seen) => (seen.form.has("grant_type") ? 401 : usual(seen));
      const ours = await openDriver("c", principal());
      const error = await ours.stat("x").catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "Unauthenticated" });
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(secret);
      await ours.driver.close();
    });
  });
});
