/** `sync` between a folder and real servers, and what it costs there. */
import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { forEachConcurrent } from "../../src/concurrency.js";
import type { Storage } from "../../src/fs/storage.js";
import { openStorage } from "../../src/open.js";
import { describeOn, type ServerName, useBucket } from "../servers/use.js";
import { type Recorder, recordingProxy, through } from "../support/proxy.js";

const SERVERS: [ServerName, string][] = [
  ["minio", "s3"],
  ["fake-gcs", "gs"],
  ["azurite", "abfs"],
];
/** Small files of the MinIO test, in no full pages, after which it has another; the other servers have a few. */
const MANY = 5_050;

/** Requests of a listing in ranges that may bring nothing new: `FREE_DIVISIONS`, and two for the pages of a range. */
const DIVISIONS = 8 + 2;

/** A listing of more than four pages may be divided; on a busy machine every division can come too late. */
function expectListings(operations: Record<string, number>, count: number): void {
  const { list = 0, ...others } = operations;
  const pages = Math.ceil(count / 1000);
  expect(others).toEqual({});
  expect(list).toBeGreaterThanOrEqual(pages);
  expect(list).toBeLessThanOrEqual(pages > 4 ? pages + DIVISIONS : pages);
}

for (const [name, scheme] of SERVERS) {
  await describeOn(name, `sync with ${scheme}`, (server) => {
    const bucket = useBucket(server);
    let folder: string;
    let proxy: Recorder;
    let storage: Storage;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "stowage-sync-"));
      proxy = await recordingProxy(server.endpoint);
      storage = openStorage({ connections: { it: through(server, proxy).connection }, env: {} });
    });
    afterAll(async () => {
      await storage?.close();
      await proxy?.close();
      await rm(folder, { recursive: true, force: true });
    });

    test("up, down, unchanged and changed; an unchanged tree costs only the listings", {
      timeout: 300_000,
    }, async () => {
      const count = name === "minio" ? MANY : 20;
      const names = Array.from({ length: count }, (_, n) => `${n % 10}/${n}`);
      for (let n = 0; n < 10; n++) await mkdir(join(folder, "up", `${n}`), { recursive: true });
      const longAgo = Date.now() / 1000 - 1000;
      await forEachConcurrent(names, { concurrency: 32 }, async (one) => {
        await writeFile(join(folder, "up", one), one);
        await utimes(join(folder, "up", one), longAgo, longAgo);
      });
      const [from, to] = [`file://${folder}/up`, `${scheme}://it@${bucket().name}/tree`];
      // Without the proxy, whose work is as much as the transfer's.
      const direct = openStorage({ connections: { it: server.connection }, env: {} });
      expect(await direct.sync(from, to)).toMatchObject({ copied: count, deleted: 0 });
      await direct.close();
      expect(await storage.sync(from, to)).toMatchObject({ copied: 0, unchanged: count });
      expectListings(proxy.operations(), count);

      await writeFile(join(folder, "up", names[0]!), "changed");
      await rm(join(folder, "up", names[1]!));
      expect(await storage.sync(from, to, { delete: true })).toMatchObject({ copied: 1, deleted: 1 });
      expect(await storage.text(`${to}/${names[0]}`)).toBe("changed");

      // Times in whole seconds count as the end of the second.
      await new Promise((resolve) => setTimeout(resolve, 1100));
      const part = { include: ["0/*"] };
      const down = await storage.sync(to, `file://${folder}/down`, part);
      expect(down.copied).toBe(count / 10);
      proxy.clear();
      expect(await storage.sync(to, `file://${folder}/down`, part)).toMatchObject({ copied: 0, unchanged: count / 10 });
      expectListings(proxy.operations(), count - 1);
      expect(await storage.sync(from, to, { checksum: true, include: ["1/*"] })).toMatchObject({ copied: 0 });
    });
  });
}
