/** Layers over one base, serializers that stop early, repairs beside writers, and rows that cannot be read. */
import { describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import { failure, isBatchError } from "../../../src/errors.js";
import { StoragePath } from "../../../src/path.js";
import { tooShort } from "../../../src/xcom/layers/lifecycle.js";
import { replicate } from "../../../src/xcom/layers/replicate.js";
import { routeXComs } from "../../../src/xcom/layers/route.js";
import { memoryRows } from "../../../src/xcom/rows/memory.js";
import { defineSerializer } from "../../../src/xcom/serializer.js";
import { XCom } from "../../../src/xcom/xcom.js";
import { BASE, OWNER, TI, world } from "../../support/xcom-world.js";

const REPLICA = "gs://other@cold/xcom";
const REFERENCE = (row: unknown) => String(row);

function two() {
  const { storage, calls } = world();
  const at = (path: string) => new XComObjectStorageBackend({ storage, path, threshold: 0, layout: "ti" });
  const layer = (more = {}) => replicate({ targets: [at(BASE), at(REPLICA)], ...more });
  const copyOf = (row: unknown) => REFERENCE(row).replace(BASE, REPLICA);
  return { storage, calls, at, layer, copyOf };
}

describe("a route and replicas over one base", () => {
  for (const first of ["plain", "safe"] as const) {
    test(`purge deletes the replicas, with ${first} named first`, async () => {
      const { storage, at, layer, copyOf } = two();
      const both = { plain: at(BASE), safe: layer() };
      const backends = first === "plain" ? both : { safe: both.safe, plain: both.plain };
      const routed = routeXComs({ backends, route: () => "safe" });
      const row = await routed.storeValue(OWNER, "k", [1]);
      expect(routed.pathsOf(row).map(String).sort()).toEqual([copyOf(row), REFERENCE(row)].sort());
      const rows = memoryRows();
      await rows.set({ ...OWNER, key: "k" }, row);
      const report = await new XCom({ rows, backend: routed }).clear({ ...OWNER });
      expect(report).toMatchObject({ rows: 1, objects: 2, left: [] });
      for (const path of [REFERENCE(row), copyOf(row)]) expect(await storage.exists(path)).toBe(false);
    });
  }
  test("a read finds the replica", async () => {
    const { storage, at, layer } = two();
    const routed = routeXComs({ backends: { plain: at(BASE), safe: layer() }, route: () => "safe" });
    const row = await routed.storeValue(OWNER, "k", [1]);
    await storage.delete(REFERENCE(row));
    expect(await routed.loadValue(row)).toEqual([1]);
  });
});

describe("a repair of a name that is overwritten", () => {
  const owner = { ...OWNER, tiId: TI };
  test.each([
    ["missing", async (storage: ReturnType<typeof two>["storage"], path: string) => storage.delete(path)],
    ["damaged", async (storage: ReturnType<typeof two>["storage"], path: string) => storage.write(path, "{")],
  ])("leaves a newer value that came meanwhile, where the copy was %s", async (_, damage) => {
    const { storage, at, layer, copyOf } = two();
    const row = await at(BASE).storeValue(owner, "k", "old");
    await layer().sync(row);
    await damage(storage, REFERENCE(row));
    const replica = at(REPLICA);
    // The newer value arrives after the read of the primary and before its repair.
    const slow = Object.create(replica, {
      loadValue: {
        value: async (...args: Parameters<typeof replica.loadValue>) => {
          const value = await replica.loadValue(...args);
          await at(BASE).storeValue(owner, "k", "new");
          return value;
        },
      },
      path: { value: replica.path },
      overwrites: { value: false },
      storage: { value: storage },
      purge: { value: replica.purge.bind(replica) },
    });
    const repairing = replicate({ targets: [at(BASE), slow], repair: true });
    expect(await repairing.loadValue(row)).toBe("old");
    expect(await at(BASE).loadValue(row)).toBe("new");
    expect(await storage.text(copyOf(row))).toBe('"old"');
  });
  test.each(["missing", "damaged"])("restores a %s copy", async (how) => {
    const { storage, at, layer } = two();
    const row = await layer().storeValue(owner, "k", "value");
    if (how === "missing") await storage.delete(REFERENCE(row));
    else await storage.write(REFERENCE(row), "{");
    await layer({ repair: true }).loadValue(row);
    expect(await at(BASE).loadValue(row)).toBe("value");
  });
});

describe("replicas and names that are overwritten", () => {
  test("a task instance's second value has a name of its own, so that a failed copy leaves no older value under it", async () => {
    const { storage, layer, copyOf } = two();
    const owner = { ...OWNER, tiId: TI };
    const first = await layer().storeValue(owner, "k", "old");
    await expect(layer().loadValue(first, { owner })).resolves.toBe("old");
    const second = await layer({ write: "primary" }).storeValue(owner, "k", "new");
    expect(second).not.toBe(first);
    await storage.delete(copyOf(second));
    await storage.delete(REFERENCE(second));
    await expect(layer().loadValue(second, { owner })).rejects.toMatchObject({ code: "NotFound" });
  });
  test("a failed copy does not delete the value that stood under the name", async () => {
    const { storage, at, layer } = two();
    const owner = { ...OWNER, tiId: TI };
    const standing = await at(BASE).storeValue(owner, "k", "old");
    const failing = async () => Promise.reject(failure("Unavailable", ""));
    const broken = new Proxy(storage, {
      get(target, name) {
        if (name === "copy") return failing;
        const found: unknown = Reflect.get(target, name);
        return typeof found === "function" ? found.bind(target) : found;
      },
    });
    const targets = [BASE, REPLICA].map(
      (path) => new XComObjectStorageBackend({ storage: broken, path, threshold: 0, layout: "ti" }),
    );
    await expect(replicate({ targets }).storeValue(owner, "k", "new")).rejects.toMatchObject({ code: "Unavailable" });
    expect(await layer().loadValue(standing, { owner })).toBe("old");
  });
  test("a key template without {uuid} is refused", () => {
    const { storage } = two();
    const keyTemplate = "{dag_id}/{run_id}/{task_id}/{map_index}/{key}.json";
    const targets = [BASE, REPLICA].map((path) => new XComObjectStorageBackend({ storage, path, keyTemplate }));
    expect(() => replicate({ targets })).toThrow(/InvalidArgument.*add \{uuid\} to the keyTemplate of the targets/);
  });
});

describe("a serializer", () => {
  const lazy = (decode: (body: AsyncIterable<Uint8Array>) => Promise<never>) =>
    defineSerializer<object>({
      name: "test.lazy@1",
      suffix: ".lazy",
      test: (value): value is object => value instanceof Map,
      async *encode() {
        for (let chunk = 0; chunk < 40; chunk++) yield Buffer.alloc(64 * 1024, 7);
      },
      decode,
    });
  const HEAD = async (body: AsyncIterable<Uint8Array>) => {
    const { value } = await body[Symbol.asyncIterator]().next();
    return value[0] as never;
  };
  test("that does not read to the end leaves no open stream, 300 times", async () => {
    const { storage } = world();
    let open = 0;
    const counted = {
      codecs: storage.codecs,
      write: storage.write.bind(storage),
      delete: storage.delete.bind(storage),
      read: (...args: Parameters<typeof storage.read>) =>
        (async function* () {
          open++;
          try {
            yield* storage.read(...args);
          } finally {
            open--;
          }
        })(),
    } as never;
    for (const decode of [HEAD, async () => 7 as never]) {
      const backend = new XComObjectStorageBackend({
        storage: counted,
        path: BASE,
        threshold: 0,
        serializers: [lazy(decode)],
      });
      const row = await backend.storeValue(OWNER, "k", new Map());
      for (let load = 0; load < 300; load++) expect(await backend.loadValue(row)).toBe(7);
      expect(open).toBe(0);
    }
  });
  test("that reads nothing does not hide that its object is missing", async () => {
    const { storage } = world();
    const backend = new XComObjectStorageBackend({
      storage,
      path: BASE,
      threshold: 0,
      serializers: [lazy(async () => 7 as never)],
    });
    const row = await backend.storeValue(OWNER, "k", new Map());
    await storage.delete(REFERENCE(row));
    await expect(backend.loadValue(row)).rejects.toMatchObject({ code: "NotFound" });
  });
});

test("getMany goes on after a row that cannot be read, and names it at the end", async () => {
  const { storage, at } = two();
  const rows = memoryRows();
  const xcom = new XCom({ rows, backend: at(BASE) });
  for (let mapIndex = 0; mapIndex < 20; mapIndex++) await xcom.set({ ...OWNER, mapIndex, key: "k" }, mapIndex);
  for (const mapIndex of [0, 7, 19])
    await storage.delete(REFERENCE((await rows.get({ ...OWNER, mapIndex, key: "k" }))!.value));
  const found: unknown[] = [];
  const error = await (async () => {
    for await (const { value } of xcom.getMany({})) found.push(value);
  })().catch((reason: unknown) => reason);
  expect(found).toEqual(Array.from({ length: 20 }, (_, at) => at).filter((at) => ![0, 7, 19].includes(at)));
  expect(isBatchError(error)).toBe(true);
  expect(error).toMatchObject({ code: "NotFound", failureCount: 3, completed: 17 });
  expect((error as { failures: { path: string }[] }).failures.map(({ path }) => path.split("/").at(-2))).toEqual([
    "0",
    "7",
    "19",
  ]);
});

test("a set whose row was written although the response was lost purges what it replaced", async () => {
  const { storage, at } = two();
  const rows = memoryRows();
  const key = { ...OWNER, key: "k" };
  await new XCom({ rows, backend: at(BASE) }).set(key, 1);
  const old = REFERENCE((await rows.get(key))!.value);
  const losing = {
    ...rows,
    set: async (...args: Parameters<typeof rows.set>) => {
      await rows.set(...args);
      throw failure("Unavailable", "the response was lost");
    },
  };
  const xcom = new XCom({ rows: losing, backend: at(BASE) });
  await xcom.set(key, 2);
  expect(await xcom.get(key)).toBe(2);
  expect(await storage.exists(old)).toBe(false);
});

test("a StoragePath in place of a row is refused, not taken for a value", async () => {
  const { at, layer } = two();
  const row = await at(BASE).storeValue(OWNER, "k", [1]);
  const path = StoragePath.parse(REFERENCE(row));
  const routed = routeXComs({ backends: { safe: layer() }, route: () => "safe" });
  for (const backend of [at(BASE), layer(), routed])
    for (const call of [backend.loadValue(path), backend.purge(path)])
      await expect(call).rejects.toMatchObject({ code: "InvalidArgument" });
});

describe("lifecycle rules that archive", () => {
  const path = StoragePath.parse("s3://b/xcom");
  const WEEK = 7 * 86_400;
  test("on S3: Glacier and deep archive, not the classes that are read at once", () => {
    const rule = (StorageClass: string, Days: number) => ({
      ID: StorageClass,
      Status: "Enabled",
      Filter: { Prefix: "" },
      Transitions: [{ Days, StorageClass }],
    });
    const Rules = [rule("GLACIER", 1), rule("DEEP_ARCHIVE", 2), rule("GLACIER_IR", 1), rule("GLACIER", 30)];
    expect(tooShort({ Rules }, path, WEEK).map(({ name }) => name)).toEqual(["GLACIER", "DEEP_ARCHIVE"]);
  });
  test("on Azure", () => {
    const azure = StoragePath.parse("abfs://b/xcom");
    const actions = { baseBlob: { tierToArchive: { daysAfterModificationGreaterThan: 1 } } };
    const rules = [{ name: "cold", enabled: true, definition: { actions, filters: { prefixMatch: ["b/"] } } }];
    expect(tooShort({ rules }, azure, WEEK)).toEqual([{ name: "cold", prefix: "", days: 1 }]);
  });
});
