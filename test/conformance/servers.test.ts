/** The servers that the other tests stand on are real, apart from each other, and gone when nobody needs them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test, vi } from "vitest";
import { openStorage } from "../../src/open.js";
import { makeBucket, startAzurite, startFakeGcs, startMinio } from "../servers/index.mjs";
import { startProcess } from "../servers/process.mjs";
import { describeOn, type ServerOf, useBucket } from "../servers/use.js";

for (const name of ["minio", "minio-tls", "versitygw", "fake-gcs", "azurite"] as const) {
  await describeOn(name, `${name} as the tests get it`, (server) => {
    const bucket = useBucket(server);
    test("a suite has an empty bucket of its own and nothing is left open in it", async () => {
      expect(bucket().name).toMatch(/^stowage-[0-9a-f]{12}$/);
      expect(await bucket().openUploads()).toEqual([]);
    });
    test("has a connection record that leads to it", () => {
      expect(JSON.stringify(server.connection)).toContain(new URL(server.endpoint).host);
    });
  });
}

/** The variables of CONTRIBUTING.md, filled with a server that is there already, as somebody's own would be. */
const ELSEWHERE = {
  minio: (server: ServerOf<"minio">) => ({
    STOWAGE_TEST_S3_ENDPOINT: server.endpoint,
    STOWAGE_TEST_S3_ACCESS_KEY: server.accessKey,
    STOWAGE_TEST_S3_SECRET_KEY: server.secretKey,
    STOWAGE_TEST_S3_PROVIDER: "minio",
  }),
  "fake-gcs": (server: ServerOf<"fake-gcs">) => ({ STOWAGE_TEST_GCS_ENDPOINT: `${server.endpoint}/` }),
  azurite: (server: ServerOf<"azurite">) => ({ STOWAGE_TEST_AZURE_CONNECTION_STRING: server.connectionString }),
};
const START = { minio: () => startMinio(), "fake-gcs": startFakeGcs, azurite: startAzurite };
const SCHEMES = { minio: "s3", "fake-gcs": "gs", azurite: "abfs" };

for (const name of ["minio", "fake-gcs", "azurite"] as const) {
  await describeOn(name, `${name}, named by the environment`, (there) => {
    afterEach(() => vi.unstubAllEnvs());

    test("is used as it is, with buckets that come and go, and counts as somebody else's", async () => {
      const variables = ELSEWHERE[name](there as never);
      for (const [variable, value] of Object.entries(variables)) vi.stubEnv(variable, value);
      const named = await START[name]();
      expect(named).toMatchObject({ external: true, endpoint: there.endpoint });
      const bucket = await makeBucket(named);
      const storage = openStorage({ connections: { it: named.connection }, env: {} });
      const at = `${SCHEMES[name]}://it@${bucket.name}/key`;
      await storage.write(at, "value");
      expect(await storage.text(at)).toBe("value");
      await bucket.remove();
      await expect(storage.text(at)).rejects.toMatchObject({ code: "NotFound" });
      await storage.close();
      await named.stop();
    });
  });
}

describe("a server process", () => {
  const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith("stowage-planted"));

  test("that does not start shows what it printed and leaves nothing", async () => {
    const failing = startProcess({
      name: "planted",
      plan: ({ port }) => ({
        command: process.execPath,
        args: ["-e", "console.error('no such luck'); process.exit(3)"],
        ready: `http://127.0.0.1:${port}/`,
      }),
    });
    await expect(failing).rejects.toThrow(/planted did not start.*no such luck/s);
    expect(folders()).toEqual([]);
  });

  test.each(["SIGTERM", "SIGINT"] as const)("goes with the script that started it, on %s too", async (signal) => {
    const script = `
      import { startProcess } from ${JSON.stringify(new URL("../servers/process.mjs", import.meta.url))};
      const serve = "require('http').createServer((q, r) => r.end()).listen(process.argv[1], '127.0.0.1')";
      const { port } = await startProcess({ name: "planted", plan: ({ port }) => (
        { command: process.execPath, args: ["-e", serve, port], ready: "http://127.0.0.1:" + port + "/" }) });
      console.log(port);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    child.kill(signal);
    await once(child, "close");
    await freed(Number(line));
    expect(folders()).toEqual([]);
  });
});

/** Resolves once the port can be bound again. */
async function freed(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer()
        .once("error", () => resolve(false))
        .listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (free) return;
    await sleep(20);
  }
  throw new Error(`port ${port} is still taken`);
}
