/** The suite bites: each of these drivers has one bug, and the case that is there for it fails. */
import { describe, expect, it } from "vitest";
import { failure } from "../../src/errors.js";
import type { BucketService, Driver, DriverListEntry, ObjectInfo, OpenDriver } from "../../src/fs/driver/driver.js";
import { memory } from "../../src/fs/drivers/memory.js";
import { openStorage } from "../../src/open.js";
import { StoragePath } from "../../src/path.js";
import { collect, single } from "../../src/streams.js";
import { type Capability, driverContract } from "../../src/testing/index.js";
import { MEMORY } from "../support/backends.js";

type Bug = (driver: Driver) => Partial<Driver>;

async function* items(driver: Driver, ...call: Parameters<Driver["list"]>): AsyncGenerator<DriverListEntry> {
  for await (const page of driver.list(...call)) yield* page;
}

async function* paged(all: AsyncIterable<DriverListEntry>): AsyncGenerator<DriverListEntry[]> {
  for await (const item of all) yield [item];
}

const lower = (info: ObjectInfo): ObjectInfo => ({ ...info, etag: info.etag!.slice(0, 2) });

const BUGS: Record<string, { cases: string[]; bug: Bug }> = {
  "keeps the first write": {
    cases: ["W03"],
    bug: (driver) => ({
      write: async (key, body, options) =>
        (await driver.stat(key, { version: undefined, signal: undefined }).catch(() => undefined)) ??
        driver.write(key, body, options),
    }),
  },
  "stores what came before the body failed": {
    cases: ["W10", "W11", "W12", "Z07"],
    bug: (driver) => ({
      async write(key, body, options) {
        const chunks: Uint8Array[] = [];
        try {
          for await (const chunk of body) chunks.push(Uint8Array.from(chunk));
        } finally {
          await driver.write(key, single(Buffer.concat(chunks)), { ...options, signal: undefined });
        }
        return {};
      },
    }),
  },
  "shows an object before it is complete": {
    cases: ["W08"],
    bug: (driver) => ({
      async write(key, body, options) {
        await driver.write(key, single(new Uint8Array(1)), options);
        return driver.write(key, body, options);
      },
    }),
  },
  "keeps the buffers of the body": {
    cases: ["W18"],
    bug: (driver) => ({
      async write(key, body, options) {
        const chunks: Uint8Array[] = [];
        for await (const chunk of body) chunks.push(chunk);
        return driver.write(key, single(Buffer.concat(chunks)), options);
      },
    }),
  },
  "pulls the whole body before it accepts any": {
    cases: ["W17"],
    bug: (driver) => ({
      async write(key, body, options) {
        const data = await collect(body);
        return driver.write(key, single(data), options);
      },
    }),
  },
  "ignores ifAbsent": {
    cases: ["C02", "C03", "C04"],
    bug: (driver) => ({ write: (key, body, options) => driver.write(key, body, { ...options, ifAbsent: false }) }),
  },
  "ignores ifMatch": {
    cases: ["C06", "C07", "C08", "C09"],
    bug: (driver) => ({ write: (key, body, options) => driver.write(key, body, { ...options, ifMatch: undefined }) }),
  },
  "ignores ifMatch on a read": {
    cases: ["C11"],
    bug: (driver) => ({ read: (key, options) => driver.read(key, { ...options, ifMatch: undefined }) }),
  },
  "ignores the start of a range": {
    cases: ["R02", "R03", "R08"],
    bug: (driver) => ({ read: (key, options) => driver.read(key, { ...options, start: 0 }) }),
  },
  "says another etag when listing than in stat": {
    cases: ["L03", "L13"],
    bug: (driver) => ({ stat: async (key, options) => lower(await driver.stat(key, options)) }),
  },
  "forgets the second page": {
    cases: ["L02", "D05"],
    bug: (driver) => ({
      async *list(prefix, options) {
        for await (const page of driver.list(prefix, options)) {
          yield options.delimiter ? page : page.slice(0, 2);
          return;
        }
      },
    }),
  },
  "lists in the order of UTF-16": {
    cases: ["L06"],
    bug: (driver) => ({
      async *list(prefix, options) {
        const all: DriverListEntry[] = [];
        for await (const item of items(driver, prefix, options)) all.push(item);
        yield all.sort((a, b) => (a.key < b.key ? -1 : 1));
      },
    }),
  },
  "includes startAfter": {
    cases: ["L05"],
    bug: (driver) => ({
      async *list(prefix, options) {
        const { startAfter } = options;
        for await (const item of items(driver, prefix, { ...options, startAfter: undefined }))
          if (startAfter === undefined || item.key >= startAfter) yield [item];
      },
    }),
  },
  "takes a directory for the beginning of a name": {
    cases: ["L04", "D05"],
    bug: (driver) => ({ list: (prefix, options) => driver.list(prefix.replace(/\/$/, ""), options) }),
  },
  "lists a directory for each of its objects": {
    cases: ["L03", "L13"],
    bug: (driver) => ({
      list(prefix, options) {
        return paged(
          (async function* () {
            for await (const item of items(driver, prefix, { ...options, delimiter: undefined })) {
              const slash = options.delimiter ? item.key.indexOf("/", prefix.length) : -1;
              yield slash < 0 ? item : { key: item.key.slice(0, slash + 1), type: "directory" as const };
            }
          })(),
        );
      },
    }),
  },
  "fails to delete what is missing": {
    cases: ["D02", "D06"],
    bug: (driver) => ({
      async delete(doomed, options) {
        for (const one of doomed) {
          await driver.stat(one.key, { version: undefined, ...options });
          await driver.delete([one], options);
        }
      },
    }),
  },
  "deletes a thousand at most": {
    cases: ["D03"],
    bug: (driver) => ({ delete: (doomed, options) => driver.delete(doomed.slice(0, 1000), options) }),
  },
  "copies without the metadata": {
    cases: ["M04"],
    bug: (driver) => ({
      async copy({ key }, to, options) {
        const range = { start: 0, end: undefined, version: undefined };
        const { body } = await driver.read(key, { ...range, ...options });
        const rest = { contentType: undefined, metadata: undefined, size: undefined, onProgress: undefined };
        return driver.write(to, body, { ...options, ...rest, ifMatch: undefined });
      },
    }),
  },
  "copies over what is there in spite of ifAbsent": {
    cases: ["M07"],
    bug: (driver) => ({ copy: (from, to, options) => driver.copy(from, to, { ...options, ifAbsent: false }) }),
  },
  "decodes percent signs in keys": {
    cases: ["K01", "K03"],
    bug: (driver) => {
      const decode = (key: string) => key.replace("%48", "H");
      return {
        write: (key, body, options) => driver.write(decode(key), body, options),
        read: (key, options) => driver.read(decode(key), options),
        copy: (from, to, options) => driver.copy({ ...from, key: decode(from.key) }, decode(to), options),
      };
    },
  },
  "normalises Unicode": {
    cases: ["K01"],
    bug: (driver) => ({ write: (key, body, options) => driver.write(key.normalize("NFC"), body, options) }),
  },
  "signs nothing and says so with the wrong code": {
    cases: ["S01"],
    bug: () => ({ signedUrl: () => Promise.reject(new Error("no")) }),
  },
};

function broken(bug: Bug): OpenDriver {
  const open = memory().open;
  return async (...place) => {
    const driver = await open(...place);
    return { ...driver, ...bug(driver) };
  };
}

/** Memory with buckets that must be created, whose verbs are `bug`'s. */
function account(bug: (correct: BucketService, names: Set<string>) => Partial<BucketService>): OpenDriver {
  const open = memory().open;
  const names = new Set(["b"]);
  return async (name, ...rest) => {
    const driver = await open(name, ...rest);
    const found = <T>(value: T): T => {
      if (names.has(name)) return value;
      throw failure("NotFound", "there is no such bucket");
    };
    const correct: BucketService = {
      async *list({ signal }) {
        signal?.throwIfAborted();
        yield [...names].map((one) => ({ name: one }));
      },
      async create(one, { signal }) {
        signal?.throwIfAborted();
        if (!/^[a-z0-9-]+$/.test(one)) throw failure("InvalidArgument", "no name of a bucket");
        if (names.has(one)) throw failure("AlreadyExists", "this account has the bucket already");
        names.add(one);
      },
      async delete(one, { signal }) {
        signal?.throwIfAborted();
        if (!/^[a-z0-9-]+$/.test(one)) throw failure("InvalidArgument", "no name of a bucket");
        if (!names.has(one)) throw failure("NotFound", "there is no such bucket");
        const inside = await open(one, ...rest);
        const all = { delimiter: undefined, startAfter: undefined, versions: false, signal } as const;
        for await (const page of inside.list("", all as never))
          if (page.length > 0) throw failure("PreconditionFailed", "the bucket is not empty");
        names.delete(one);
      },
    };
    return {
      ...driver,
      read: async (...call) => found(await driver.read(...call)),
      write: async (...call) => found(await driver.write(...call)),
      list: (...call) => found(driver.list(...call)),
      buckets: { ...correct, ...bug(correct, names) },
    };
  };
}

const BUCKET_BUGS: Record<string, { cases: string[]; bug: Parameters<typeof account>[0] }> = {
  "lists each of its buckets twice": {
    cases: ["B01"],
    bug: ({ list }) => ({
      async *list(options) {
        yield* list(options);
        yield* list(options);
      },
    }),
  },
  "creates a bucket again": {
    cases: ["B02"],
    bug: ({ create }, names) => ({
      create: async (name, options) => void (names.has(name) || (await create(name, options))),
    }),
  },
  "deletes a bucket with its objects": {
    cases: ["B03"],
    bug: (_, names) => ({ delete: async (name) => void names.delete(name) }),
  },
  "deletes what is missing": {
    cases: ["B04"],
    bug: ({ delete: remove }, names) => ({
      delete: async (name, options) => void (names.has(name) && (await remove(name, options))),
    }),
  },
  "creates a bucket without a name": {
    cases: ["B05"],
    bug: (_, names) => ({ create: async (name) => void names.add(name) }),
  },
};

describe("a driver that", () => {
  for (const [name, { cases, bug }] of Object.entries(BUGS)) {
    it(`${name} fails ${cases.join(", ")}`, { timeout: 60_000 }, async () => {
      const suite = driverContract({
        ...MEMORY,
        open: async () => {
          const storage = openStorage({ env: {}, drivers: [{ schemes: ["broken"], open: broken(bug) }] });
          const base = StoragePath.of({ scheme: "broken", bucket: "b", key: "base" });
          return { storage, base, cleanup: () => storage.close() };
        },
      });
      for (const id of cases) {
        const one = suite.find((candidate) => candidate.id === id)!;
        await expect(one.run(), id).rejects.toThrow();
      }
    });
  }

  const bucketCases = (bug: Parameters<typeof account>[0], lacks: readonly Capability[]) =>
    driverContract({
      ...MEMORY,
      lacks,
      open: async () => {
        const storage = openStorage({ env: {}, drivers: [{ schemes: ["account"], open: account(bug) }] });
        const base = StoragePath.of({ scheme: "account", bucket: "b", key: "base" });
        return { storage, base, cleanup: () => storage.close() };
      },
    }).filter(({ id }) => id.startsWith("B"));

  for (const [name, { cases, bug }] of Object.entries(BUCKET_BUGS)) {
    it(`${name} fails ${cases.join(", ")}`, async () => {
      for (const { id, run } of bucketCases(bug, [])) if (cases.includes(id)) await expect(run(), id).rejects.toThrow();
    });
  }

  it("keeps the rules of buckets passes all cases about them", async () => {
    for (const { run } of bucketCases(() => ({}), [])) await run();
  });

  it("has verbs about buckets, and is said to lack them, fails", async () => {
    for (const { id, run } of bucketCases(() => ({}), ["bucketVerbs"])) await expect(run(), id).rejects.toThrow();
  });
});
