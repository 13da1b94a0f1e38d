/** Azure's credentials that need no log-in, on Azurite; those that do are in azure-identity.test.ts. */
import { inspect } from "node:util";
import {
  type BlobServiceClient,
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { ConnectionInput } from "../../../../src/connections/index.js";
import type { Storage } from "../../../../src/fs/storage.js";
import { openStorage } from "../../../../src/open.js";
import { azureClient } from "../../../servers/index.mjs";
import { describeOn, type ServerOf, useBucket } from "../../../servers/use.js";
import { failed } from "../../../support/failed.js";
import { type Recorder, recordingProxy, through } from "../../../support/proxy.js";
import { useStorages } from "../../../support/storages.js";
import { noted } from "../../../support/test-secrets.mjs";

await describeOn("azurite", "Azure's credentials", (real: ServerOf<"azurite">) => {
  const bucket = useBucket(real);
  const { account, accountKey } = real;
  const open = useStorages();
  let server: ServerOf<"azurite">;
  let client: BlobServiceClient;
  let proxy: Recorder;

  beforeAll(async () => {
    client = await azureClient(real);
    proxy = await recordingProxy(real.endpoint);
    server = through(real, proxy);
  });
  afterAll(() => proxy.close());

  function opened(it: Omit<ConnectionInput, "type">, env: Record<string, string> = {}): Storage {
    proxy.clear();
    return open({ connections: { it: { type: "wasb", ...it } }, env });
  }
  const at = (key = "key") => `abfs://it@${bucket().name}/${key}`;
  async function used(storage: Storage, path = at()): Promise<void> {
    await storage.write(path, "value");
    expect(await storage.text(path)).toBe("value");
  }

  /** A SAS for this container alone, good for an hour from `from` (milliseconds) on. */
  function sas(from = Date.now() - 60_000): string {
    const [startsOn, expiresOn] = [new Date(from), new Date(from + 3_600_000)];
    const permissions = ContainerSASPermissions.parse("rwdlc");
    const values = { containerName: bucket().name, permissions, startsOn, expiresOn };
    return generateBlobSASQueryParameters(values, new StorageSharedKeyCredential(account, accountKey)).toString();
  }

  test.each([
    ["connection_string", () => ({ extra: { connection_string: server.connectionString } })],
    [
      "login and password, the address in host",
      () => ({ login: account, password: accountKey, host: server.endpoint }),
    ],
    [
      "account_name and account_key, the address in account_host",
      () => ({ extra: { account_name: account, account_key: accountKey, account_host: server.endpoint } }),
    ],
    [
      "the names with a prefix",
      () => ({ extra: { extra__wasb__account_key: accountKey, extra__wasb__account_host: server.endpoint } }),
    ],
    ["a SAS", () => ({ extra: { sas_token: sas(), account_host: server.endpoint } })],
    ["a SAS that begins with ?", () => ({ extra: { sas_token: `?${sas()}`, account_host: server.endpoint } })],
    ["a whole SAS URL", () => ({ extra: { sas_token: `${server.endpoint}/${bucket().name}?${sas()}` } })],
    ["a SAS URL in host", () => ({ host: `${server.endpoint}?${sas()}` })],
    [
      "a connection string with a SAS",
      () => ({ extra: { connection_string: `BlobEndpoint=${server.endpoint};SharedAccessSignature=${sas()}` } }),
    ],
  ])("%s: writes and reads", async (_, connection) => {
    await used(opened(connection()));
    expect(proxy.operations()).toEqual({ write: 1, read: 1 });
  });

  test("AZURE_STORAGE_CONNECTION_STRING serves where the path names no connection", async () => {
    const storage = openStorage({ env: { AZURE_STORAGE_CONNECTION_STRING: server.connectionString } });
    await used(storage, `abfs://${bucket().name}/key`);
    await storage.close();
  });

  test("a SAS that has expired is refused, and its signature is in no message", async () => {
    const old = noted(sas(Date.now() - 7_200_000));
    const error = await failed(opened({ extra: { sas_token: old, account_host: server.endpoint } }).text(at()));
    expect(["Unauthenticated", "PermissionDenied"]).toContain((error as { code: string }).code);
    expect(inspect(error, { depth: 12, showHidden: true })).not.toContain(new URLSearchParams(old).get("sig"));
  });

  test("anonymous access reads a public container without a signature", async () => {
    await client.getContainerClient(bucket().name).setAccessPolicy("blob");
    await used(opened({ extra: { connection_string: server.connectionString } }));
    expect(await opened({ extra: { anon: true, account_host: server.endpoint } }).text(at())).toBe("value");
    expect(proxy.requests.map(({ headers, url }) => [headers.authorization, url.search])).toEqual([[undefined, ""]]);
  });

  test("A01: without credentials, and where nobody is logged in, nothing is sent, public or not", async () => {
    // What the default chain asks without starting other programs.
    vi.stubEnv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential");
    await client.getContainerClient(bucket().name).setAccessPolicy("blob");
    const error = await failed(opened({ extra: { account_host: server.endpoint } }).text(at()));
    expect(error).toMatchObject({ name: "StorageError", code: "Unauthenticated" });
    expect(proxy.requests).toEqual([]);
  });
});
