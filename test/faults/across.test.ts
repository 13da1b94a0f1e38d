/** M08: copies from one cloud to another: what arrives is what was there, or an error says that it is not. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Storage } from "../../src/fs/storage.js";
import { openStorage } from "../../src/open.js";
import { makeBucket } from "../servers/index.mjs";
import { describeOn, server } from "../servers/use.js";
import { changeBody, changeHeaders, corruptBody, type Fault, type FaultProxy, faultProxy } from "../support/faults.js";
import { through } from "../support/proxy.js";
import { content, MIB, PROVIDERS, type Provider } from "./place.js";

const SMALL = content(1, 300_000);
const LARGE = content(2, 9 * MIB);
const OLD = content(3, 1000);
const NONE = Buffer.alloc(16);

type Scheme = Provider["scheme"];
interface Cloud {
  proxy: FaultProxy;
  bucket: Awaited<ReturnType<typeof makeBucket>>;
}

/** An answer to a stat by which the object has another MD5 than it has. */
const OTHER_MD5: Record<Scheme, Fault> = {
  s3: changeHeaders({ etag: `"${NONE.toString("hex")}"` }),
  gs: changeBody((text) => text.replace(/("md5Hash": *")[^"]*/, `$1${NONE.toString("base64")}`)),
  abfs: changeHeaders({ "content-md5": NONE.toString("base64") }),
};

await describeOn("minio", "M08: copies between clouds", () => {
  const clouds = new Map<Scheme, Cloud>();
  let storage: Storage;
  const at = (scheme: Scheme, name: string) => `${scheme}://${scheme}@${clouds.get(scheme)?.bucket.name}/${name}`;
  const proxyOf = (scheme: Scheme) => clouds.get(scheme)!.proxy;

  beforeAll(async () => {
    const connections: Record<string, object> = {};
    for (const { scheme, server: name } of PROVIDERS) {
      const target = await server(name);
      const proxy = await faultProxy(target.endpoint);
      clouds.set(scheme, { proxy, bucket: await makeBucket(target) });
      connections[scheme] = through(target, proxy).connection;
    }
    storage = openStorage({ connections: connections as never, env: {} });
  });
  afterAll(async () => {
    await storage?.close();
    for (const { proxy, bucket } of clouds.values()) {
      expect(proxy.pending()).toEqual([]);
      await proxy.close();
      await bucket.remove();
    }
  });

  const schemes = PROVIDERS.map(({ scheme }) => scheme);
  const pairs = schemes.flatMap((from) => schemes.filter((to) => to !== from).map((to) => [from, to] as const));

  describe.each(pairs)("%s to %s", (from, to) => {
    test.each([
      ["in one request", SMALL],
      ["in parts", LARGE],
    ])("keeps bytes, content type and metadata (%s)", async (_, data) => {
      const [source, target] = [at(from, `whole-${to}`), at(to, `whole-${from}`)];
      await storage.write(source, data, { contentType: "text/x-ours", metadata: { a: "é" } });
      await storage.copy(source, target);
      expect(Buffer.from(data).equals(await storage.bytes(target))).toBe(true);
      expect(await storage.stat(target)).toMatchObject({ contentType: "text/x-ours", metadata: { a: "é" } });
    });

    test("F14: a bit that flips on the way from the source is Corrupt, and the old object stays", async () => {
      const [source, target] = [at(from, `flip-${to}`), at(to, `flip-${from}`)];
      await storage.write(source, SMALL);
      await storage.write(target, OLD);
      proxyOf(from).plant({ on: { operation: "read" }, fault: corruptBody(150_000) });
      await expect(storage.copy(source, target)).rejects.toMatchObject({ code: "Corrupt", path: source });
      expect(OLD.equals(await storage.bytes(target))).toBe(true);
    });

    test("M09: a move whose copy is not what was sent keeps its source", async () => {
      const [source, target] = [at(from, `move-${to}`), at(to, `move-${from}`)];
      await storage.write(source, SMALL);
      proxyOf(to).plant({ on: { operation: "stat" }, fault: OTHER_MD5[to] });
      // On S3 the etag is the MD5: another one can only be another's.
      const code = to === "s3" ? "ObjectChanged" : "Corrupt";
      await expect(storage.move(source, target)).rejects.toMatchObject({ code });
      expect(SMALL.equals(await storage.bytes(source))).toBe(true);
    });
  });

  test("M08: a copy to S3 looks again if the etag of its write is not the MD5 of what was sent", async () => {
    const [source, target] = [at("gs", "look"), at("s3", "look")];
    await storage.write(source, SMALL);
    proxyOf("s3").plant({ on: { operation: "write" }, fault: OTHER_MD5.s3 });
    await storage.copy(source, target);
    expect(SMALL.equals(await storage.bytes(target))).toBe(true);
    proxyOf("s3").plant({ on: { operation: "write" }, fault: OTHER_MD5.s3 });
    proxyOf("s3").plant({ on: { operation: "stat" }, fault: OTHER_MD5.s3 });
    await expect(storage.copy(source, target)).rejects.toMatchObject({ code: "Corrupt" });
  });

  test.each(schemes)("%s states the MD5 of what came in one request", async (scheme) => {
    await storage.write(at(scheme, "md5"), SMALL);
    const md5 = createHash("md5").update(SMALL).digest("hex");
    expect(await storage.stat(at(scheme, "md5"))).toMatchObject({ md5 });
  });
});
