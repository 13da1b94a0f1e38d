/** What each call costs in requests, counted by a proxy in front of the server. Nothing is asked that was not needed. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { XComObjectStorageBackend } from "../../src/backend.js";
import { forEachConcurrent } from "../../src/concurrency.js";
import type { Storage } from "../../src/fs/storage.js";
import { openStorage } from "../../src/open.js";
import { describeOn, type ServerName, useBucket } from "../servers/use.js";
import type { Operation } from "../support/operations.js";
import { type Recorder, recordingProxy, through } from "../support/proxy.js";

type Cost = Partial<Record<Operation, number>>;

interface Provider {
  server: ServerName;
  scheme: string;
  /** Keys in one page of a listing. */
  page: number;
  /** Keys in one bulk delete. */
  batch: number;
  /** A body of unknown length, 20 MiB. */
  stream: Cost;
  /** The same when its source fails at the end: whole parts have been sent by then, the rest never is. */
  failedStream: Cost;
  /** What a move asks of its source: before the copy, and again before the delete where that cannot carry a condition. */
  looks: number;
  /** A read of the last bytes. Azure has no suffix ranges. */
  last: Cost;
  /** What a copy asks of its source: only Azure does not copy tags by itself. */
  sources: number;
  /** What a copy from another store asks of its target: on S3 the etag of the write says what was stored. */
  targets: number;
}

const PROVIDERS: Provider[] = [
  {
    server: "minio",
    scheme: "s3",
    page: 1000,
    batch: 1000,
    stream: { begin: 1, part: 3, commit: 1 },
    failedStream: { begin: 1, part: 2, abort: 1 },
    looks: 2,
    sources: 0,
    targets: 0,
    last: { read: 1 },
  },
  {
    server: "fake-gcs",
    scheme: "gs",
    page: 1000,
    batch: 100,
    stream: { begin: 1, part: 2 },
    failedStream: { begin: 1, part: 1, abort: 1 },
    // The emulator ignores the condition; Google's own service needs one.
    looks: 2,
    sources: 0,
    targets: 1,
    last: { read: 1 },
  },
  {
    server: "azurite",
    scheme: "abfs",
    page: 1000,
    batch: 256,
    stream: { part: 3, commit: 1 },
    failedStream: { part: 2 },
    looks: 1,
    sources: 1,
    targets: 1,
    last: { stat: 1, read: 1 },
  },
];

const MIB = 2 ** 20;
/** Just more than a page. */
const MANY = 1001;

async function* mebibytes(count: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index++) yield new Uint8Array(MIB).fill(index);
}

for (const provider of PROVIDERS) {
  await describeOn(provider.server, `requests to ${provider.scheme}`, (server) => {
    const bucket = useBucket(server);
    let proxy: Recorder;
    let storage: Storage;
    const at = (key: string) => `${provider.scheme}://it@${bucket().name}/${key}`;

    beforeAll(async () => {
      proxy = await recordingProxy(server.endpoint);
      storage = openStorage({ connections: { it: through(server, proxy).connection }, env: {} });
      await storage.write(at("small"), "0123456789");
    });
    afterAll(async () => {
      await storage?.close();
      await proxy?.close();
    });

    /** The requests that `work` causes. */
    async function cost(work: () => unknown): Promise<Cost> {
      proxy.clear();
      await work();
      return proxy.operations();
    }
    const count = async (work: AsyncIterable<unknown>) => {
      let found = 0;
      for await (const _ of work) found += 1;
      return found;
    };

    describe("one object", () => {
      test.each<[string, (name: string) => unknown, Cost]>([
        ["a small write", (name) => storage.write(at(name), "text"), { write: 1 }],
        ["an empty write", (name) => storage.write(at(name), ""), { write: 1 }],
        ["a create-only write", (name) => storage.write(at(name), "text", { ifAbsent: true }), { write: 1 }],
        ["a gzipped write", (name) => storage.write(at(name), "text", { compression: "gzip" }), { write: 1 }],
        ["a small stream of unknown length", (name) => storage.write(at(name), mebibytes(1)), { write: 1 }],
        ["a write of known length", (name) => storage.write(at(name), mebibytes(4), { size: 4 * MIB }), { write: 1 }],
        ["a small read", () => storage.bytes(at("small")), { read: 1 }],
        ["a small text", () => storage.text(at("small")), { read: 1 }],
        ["a streamed read", () => count(storage.read(at("small"))), { read: 1 }],
        ["a range", () => storage.bytes(at("small"), { start: 2, end: 5 }), { read: 1 }],
        ["a range past the end", () => storage.bytes(at("small"), { start: 2, end: 500 }), { read: 1 }],
        ["the last bytes", () => storage.bytes(at("small"), { last: 3 }), provider.last],
        ["a stat", () => storage.stat(at("small")), { stat: 1 }],
        ["a look for what exists", () => storage.exists(at("small")), { stat: 1 }],
        ["a look for what does not", () => storage.exists(at("missing")), { stat: 1 }],
        [
          "a read of what is missing",
          () => expect(storage.bytes(at("missing"))).rejects.toThrow("NotFound"),
          { read: 1 },
        ],
        ["a delete", () => storage.delete(at("absent")), { delete: 1 }],
        ["an address to hand out", () => storage.signedUrl(at("small"), { method: "GET", expiresIn: 60 }), {}],
      ])("%s", async (title, work, expected) => {
        // GCS and Azurite have nothing to sign with, or sign without asking: no request in either case.
        const quiet = title.includes("hand out") ? async () => Promise.resolve(work("")).catch(() => undefined) : work;
        expect(await cost(() => quiet(`one/${title.replaceAll(" ", "-")}`))).toEqual(expected);
      });

      test("a long stream is sent in parts, and ends without a trace when its source fails", async () => {
        expect(await cost(() => storage.write(at("long"), mebibytes(20)))).toEqual(provider.stream);
        const parts = provider.failedStream.part;
        async function* failing() {
          yield* mebibytes(20);
          await vi.waitFor(() => expect([proxy.operations().part, proxy.inFlight()]).toEqual([parts, 0]), 10_000);
          throw new Error("source");
        }
        const write = () => expect(storage.write(at("failed"), failing())).rejects.toThrow("source");
        expect(await cost(write)).toEqual(provider.failedStream);
        expect(await storage.exists(at("failed"))).toBe(false);
        expect(await bucket().openUploads()).toEqual(provider.server === "azurite" ? ["failed"] : []);
      });
      test("a large object is one request, of `parallel` ranges of 8 MiB, or by default what pays", async () => {
        await storage.write(at("large"), mebibytes(24), { size: 24 * MIB });
        for (const [parallel, read] of [
          [1, 1],
          [2, 3],
        ] as const) {
          expect(await cost(() => storage.bytes(at("large"), { parallel }))).toEqual({ read });
          expect(await cost(() => count(storage.read(at("large"), { parallel })))).toEqual({ read });
        }
        // How fast the server is decides: one request, or that and two ranges, which it ends early for.
        for (const read of [() => storage.bytes(at("large")), () => count(storage.read(at("large")))])
          expect([1, 2, 3]).toContain((await cost(read)).read);
      });
    });

    test("ranges that are near each other share a request", async () => {
      await storage.write(at("ranged"), new Uint8Array(8 * MIB));
      const near = [0, 5000, 10_000].map((start) => ({ start, end: start + 10 }));
      const far = { start: 6 * MIB, end: 6 * MIB + 10 };
      expect(await cost(() => storage.ranges(at("ranged"), near))).toEqual({ read: 1 });
      expect(await cost(() => storage.ranges(at("ranged"), [far, ...near]))).toEqual({ read: 2 });
      expect(await cost(() => storage.ranges(at("ranged"), []))).toEqual({});
    });

    test("a list of keys is deleted in full batches", async () => {
      const keys = Array.from({ length: 2 * provider.batch }, (_, i) => at(`none/${i}`));
      expect(await cost(() => storage.delete(keys))).toEqual({ deleteBatch: 2 });
    });

    describe("many objects", () => {
      beforeAll(async () => {
        const names = Array.from({ length: MANY }, (_, index) => `many/${index % 10}/${index}`);
        await forEachConcurrent(names, { concurrency: 32 }, (name) => storage.write(at(name), "x"));
      });
      const pages = Math.ceil(MANY / provider.page);

      test("a limit costs the request of one page, whose size it sets", async () => {
        expect(await cost(() => count(storage.list(at("many"), { limit: 5 })))).toEqual({ list: 1 });
        expect(await cost(() => storage.list(at("many"), { limit: 5 }).byPage().next())).toEqual({ list: 1 });
        expect(proxy.requests.map(({ url }) => /max-?(?:keys|results)=(\d+)/i.exec(url.search)?.[1])).toEqual(["7"]);
      });
      test("a listing costs one request a page, an empty one is one page", async () => {
        expect(await cost(() => count(storage.list(at("nothing"))))).toEqual({ list: 1 });
        expect(await cost(() => count(storage.list(at("many"))))).toEqual({ list: 1 });
        expect(await cost(() => count(storage.list(at("many"), { recursive: true })))).toEqual({ list: pages });
      });
      test("a glob below a literal prefix costs no more than listing it", async () => {
        expect(await cost(() => count(storage.glob(at("many/**/5*"))))).toEqual({ list: pages });
        expect(await cost(() => count(storage.glob(at("many/3/1*"))))).toEqual({ list: 1 });
      });
      test("deleting a tree costs its pages and the bulk deletes", async () => {
        // A page is deleted while the next one is listed, so bulk deletes do not span pages.
        const lastPage = MANY - (pages - 1) * provider.page;
        const deleteBatch =
          (pages - 1) * Math.ceil(provider.page / provider.batch) + Math.ceil(lastPage / provider.batch);
        const spent = await cost(() => storage.delete(at("many"), { recursive: true }));
        expect(spent).toEqual({ list: pages, deleteBatch });
        expect(await count(storage.list(at("many"), { recursive: true }))).toBe(0);
      });
    });

    describe("two objects", () => {
      const stats = (stat: number) => (stat === 0 ? {} : { stat });
      test("a copy within the provider moves no bytes", async () => {
        const spent = await cost(() => storage.copy(at("small"), at("two/copy")));
        expect(spent).toEqual({ ...stats(provider.sources), copy: 1 });
        expect(await storage.text(at("two/copy"))).toBe("0123456789");
      });
      test("a copy from another store is a write, and a look at what was stored unless the write has said it", async () => {
        await storage.write("memory://requests/small", "0123456789");
        const spent = await cost(() => storage.copy("memory://requests/small", at("two/across")));
        expect(spent).toEqual({ write: 1, ...stats(provider.targets) });
        expect(await storage.text(at("two/across"))).toBe("0123456789");
      });
      test("a move is a copy and a delete of what was copied", async () => {
        await storage.write(at("two/from"), "x");
        const spent = await cost(() => storage.move(at("two/from"), at("two/to")));
        expect(spent).toEqual({ stat: provider.looks + provider.sources, copy: 1, delete: 1 });
      });
      test("a move of a tree knows its objects by their listing, as one with ifMatch does", async () => {
        for (const name of ["a", "b"]) await storage.write(at(`trees/from/${name}`), "x");
        const tree = await cost(() => storage.move(at("trees/from"), at("trees/to"), { recursive: true }));
        const looks = (objects: number) => stats(objects * (provider.looks - 1 + provider.sources));
        expect(tree).toEqual({ list: 1, ...looks(2), copy: 2, delete: 2 });
        const { etag: ifMatch } = await storage.stat(at("trees/to/a"));
        const one = await cost(() => storage.move(at("trees/to/a"), at("trees/c"), { ifMatch }));
        expect(one).toEqual({ ...looks(1), copy: 1, delete: 1 });
      });
    });

    describe("XComs", () => {
      const where = { dagId: "dag", runId: "run", taskId: "task" };
      const big = { text: "x".repeat(2000) };
      const backend = () => new XComObjectStorageBackend({ storage, path: at("xcom"), threshold: 1000 });

      test("a small value costs nothing to store, load and purge", async () => {
        const xcom = backend();
        expect(await cost(async () => xcom.purge(await roundTrip(xcom, { small: 1 })))).toEqual({});
      });
      test("a large value costs one request each to store, load and purge", async () => {
        const xcom = backend();
        let stored: unknown;
        expect(await cost(async () => (stored = await xcom.storeValue(where, "key", big)))).toEqual({ write: 1 });
        expect(await cost(async () => expect(await xcom.loadValue(stored)).toEqual(big))).toEqual({ read: 1 });
        expect(await cost(() => xcom.purge(stored))).toEqual({ delete: 1 });
      });
      test("a string that only looks like a path costs nothing", async () => {
        const xcom = backend();
        expect(await cost(() => xcom.loadValue(at("xcom/notes.txt")))).toEqual({});
      });

      async function roundTrip(xcom: XComObjectStorageBackend, value: unknown): Promise<unknown> {
        const stored = await xcom.storeValue(where, "key", value);
        expect(await xcom.loadValue(stored)).toEqual(value);
        return stored;
      }
    });
  });
}
