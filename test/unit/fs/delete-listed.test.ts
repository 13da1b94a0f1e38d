/** Deletes of many objects, each in the state of a listing: what they cost, and that nothing goes that was written since. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { forEachConcurrent, memoryLimiter } from "../../../src/concurrency.js";
import { deleteListed, type ListedObject } from "../../../src/fs/delete-listed.js";
import { openStorage } from "../../../src/index.js";
import type { StoragePath } from "../../../src/path.js";
import { hostile } from "../../hostile/support.js";
import { describeOn, type ServerName, useBucket } from "../../servers/use.js";
import { all } from "../../support/all.js";
import { type Recorder, recordingProxy, through } from "../../support/proxy.js";

type Storage = ReturnType<typeof openStorage>;

async function listed(storage: Storage, base: string): Promise<ListedObject[]> {
  const found = await all(storage.list(base, { recursive: true }));
  return found.map(({ path, etag = "", modified = new Date(0) }) => ({ path, etag, modified }));
}

/** Returns what became of each object, by its name. */
async function deleted(storage: Storage, objects: readonly ListedObject[], signal?: AbortSignal) {
  const outcomes: Record<string, string> = {};
  await deleteListed(storage.registry, objects, {
    slots: memoryLimiter(16),
    onDone: async ({ path }: { path: StoragePath }, error) => {
      expect(outcomes[path.name], "told twice").toBeUndefined();
      const { code, path: at } = (error ?? {}) as { code?: string; path?: string };
      if (error !== undefined) expect(at).toBe(String(path));
      outcomes[path.name] = code ?? "gone";
    },
    signal,
  });
  return outcomes;
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `o${String(i).padStart(5, "0")}`);

/** `missing`: what becomes of one that is gone. Azurite says of a missing blob that it does not have the etag. */
function behaves(open: () => { storage: Storage; base: string }, missing = "gone"): void {
  // Few are looked at one by one, many on a page of a listing, or in a batch with conditions.
  test.each([3, 40])("of %d objects, those that were written since stay", async (count) => {
    const { storage, base } = open();
    const at = `${base}/of${count}`;
    await forEachConcurrent(names(count), { concurrency: 16 }, (name) => storage.write(`${at}/${name}`, "one"));
    const [first, second, ...rest] = await listed(storage, at);
    await storage.write(first!.path, "two");
    await storage.delete(second!.path);
    const outcomes = await deleted(storage, [first!, second!, ...rest]);
    expect(outcomes).toEqual({
      ...Object.fromEntries(names(count).map((name) => [name, "gone"])),
      o00000: "PreconditionFailed",
      o00001: missing,
    });
    expect((await listed(storage, at)).map(({ path }) => path.name)).toEqual(["o00000"]);
    expect(await storage.text(first!.path)).toBe("two");
  });
}

describe("memory", () => {
  behaves(() => ({ storage: openStorage(), base: "memory://b/x" }));

  test("ends with an abort, and deletes nothing after it", async () => {
    await using storage = openStorage();
    for (const name of names(5)) await storage.write(`memory://b/x/${name}`, "");
    const reason = new Error("enough");
    const objects = await listed(storage, "memory://b/x");
    await expect(deleted(storage, objects, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(await listed(storage, "memory://b/x")).toHaveLength(5);
  });
});

/** Of so many objects, all of which go: pages that are read again, and deletes. */
const COSTS: readonly [ServerName, string, number, Record<string, number>][] = [
  ["minio", "s3", 1500, { list: 2, deleteBatch: 2 }],
  // Each call of its batches has its condition. Fewer, since Azurite takes seconds for a batch.
  ["azurite", "abfs", 300, { deleteBatch: 2 }],
  ["fake-gcs", "gs", 1500, { list: 2, deleteBatch: 15 }],
];
for (const [name, scheme, many, cost] of COSTS)
  await describeOn(name, name, (server) => {
    const bucket = useBucket(server);
    let proxy: Recorder;
    let storage: Storage;
    const base = () => `${scheme}://it@${bucket().name}/x`;
    beforeAll(async () => {
      proxy = await recordingProxy(server.endpoint);
      storage = openStorage({ connections: { it: through(server, proxy).connection } });
    });
    afterAll(async () => {
      await storage.close();
      await proxy.close();
    });
    behaves(() => ({ storage, base: base() }), name === "azurite" ? "PreconditionFailed" : "gone");

    test("costs few requests where the objects lie together", { timeout: 60_000 }, async () => {
      const at = `${base()}/many`;
      await forEachConcurrent(names(many), { concurrency: 32 }, (object) => storage.write(`${at}/${object}`, ""));
      const objects = await listed(storage, at);
      proxy.clear();
      // As a sweep gives them: a thousand at once.
      await deleted(storage, objects.slice(0, 1000).reverse());
      if (many > 1000) await deleted(storage, objects.slice(1000));
      const spent = proxy.operations();
      expect(await listed(storage, at)).toEqual([]);
      expect(spent).toEqual(cost);
    });

    if (scheme === "s3")
      test("equal content has an equal etag: the time shows that it was written again", async () => {
        for (const count of [1, 3, 20]) {
          const at = `${base()}/again${count}`;
          for (const object of names(count)) await storage.write(`${at}/${object}`, "same");
          const objects = await listed(storage, at);
          const earlier = objects.map((one) => ({ ...one, modified: new Date(one.modified.getTime() - 60_000) }));
          expect(new Set(Object.values(await deleted(storage, earlier)))).toEqual(new Set(["PreconditionFailed"]));
          expect(await listed(storage, at)).toHaveLength(count);
          proxy.clear();
          await deleted(storage, objects);
          expect(await listed(storage, at)).toEqual([]);
        }
      });

    if (scheme === "s3")
      test("objects that lie far apart are looked at one by one", { timeout: 60_000 }, async () => {
        const at = `${base()}/sparse`;
        await forEachConcurrent(names(1100), { concurrency: 32 }, (object) => storage.write(`${at}/${object}`, ""));
        const objects = (await listed(storage, at)).filter((_, i) => i % 55 === 0);
        proxy.clear();
        await deleted(storage, objects);
        // The page shows 19 of the 20, which is worth it; two of 55 more would not have been.
        expect(proxy.operations()).toEqual({ list: 2, deleteBatch: 1 });
        proxy.clear();
        const far = (await listed(storage, at)).filter((_, i) => i % 200 === 7);
        proxy.clear();
        await deleted(storage, far);
        expect(proxy.operations()).toEqual({ stat: 6, deleteBatch: 1 });
      });
  });

describe("Amazon S3", () => {
  const date = "2026-01-01T00:00:00.000Z";
  const row = (key: string) =>
    `<Contents><Key>${key}</Key><Size>1</Size><LastModified>${date}</LastModified><ETag>"${key.at(-1)}"</ETag></Contents>`;
  const keys = names(20).map((name) => `x/${name}`);
  const objects = async (storage: Storage) => listed(storage, "s3://it@bucket/x");

  async function amazon(answers: (count: number) => string) {
    let count = 0;
    const { endpoint, asked } = await hostile(({ method }) =>
      method === "POST"
        ? { body: answers(++count) }
        : {
            body: `<ListBucketResult><IsTruncated>false</IsTruncated>${keys.map(row).join("")}</ListBucketResult>`,
          },
    );
    const extra = { endpoint_url: endpoint, provider: "aws", region_name: "us-east-1" };
    const connections = { it: { type: "aws", login: "k", password: "s", extra } };
    const posts = () => asked.filter(({ method }) => method === "POST").map(({ body }) => String(body));
    return { storage: openStorage({ connections }), posts };
  }

  test("gets the etag of each object in the bulk request, and its refusal is a change", async () => {
    const refused = "<Error><Key>x/o00003</Key><Code>PreconditionFailed</Code><Message>m</Message></Error>";
    const { storage, posts } = await amazon(() => `<DeleteResult>${refused}</DeleteResult>`);
    const outcomes = await deleted(storage, await objects(storage));
    expect(outcomes).toEqual({
      ...Object.fromEntries(names(20).map((name) => [name, "gone"])),
      o00003: "PreconditionFailed",
    });
    expect(posts()).toHaveLength(1);
    for (const key of keys)
      expect(posts()[0]).toContain(`<Object><Key>${key}</Key><ETag>&#34;${key.at(-1)}&#34;</ETag></Object>`);
    await storage.close();
  });

  test("gets it again when it asks for a second attempt", async () => {
    const later = "<Error><Key>x/o00003</Key><Code>SlowDown</Code><Message>m</Message></Error>";
    const { storage, posts } = await amazon((count) => `<DeleteResult>${count === 1 ? later : ""}</DeleteResult>`);
    await deleted(storage, await objects(storage));
    expect(posts()).toHaveLength(2);
    expect(posts()[1]).toContain("<Object><Key>x/o00003</Key><ETag>&#34;3&#34;</ETag></Object>");
    await storage.close();
  });
});
