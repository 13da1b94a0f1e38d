/** Every public value of one copy of the library, given to another copy in the same process. */
import { expect } from "vitest";
import type * as Codecs from "../../src/codecs/formats.js";
import type * as Core from "../../src/core.js";
import type * as Driver from "../../src/driver.js";
import type * as Main from "../../src/index.js";
import type * as Tables from "../../src/xcom/tables/index.js";
import type * as XCom from "../../src/xcom.js";

/** One copy, by its doors. */
export interface Copy {
  main: typeof Main;
  core: typeof Core;
  driver: typeof Driver;
  xcom: typeof XCom;
  codecs: typeof Codecs;
  tables: typeof Tables;
}

const OWNER = { dagId: "d", runId: "r", taskId: "t" };
const BASE = "memory://bucket/xcom";
const SCHEMA = { n: "float", day: "date" } as const;

/** One value of each class, made by this copy. */
export function valuesOf({ xcom, main }: Pick<Copy, "xcom" | "main">): Record<string, object> {
  return {
    StoragePath: main.StoragePath.parse("s3://conn@bucket/a/b"),
    DateTime: new xcom.DateTime(1_700_000_000_123_456n, "Europe/Berlin", "zoneinfo.ZoneInfo"),
    Decimal: new xcom.Decimal("1.10"),
    Uuid: new xcom.Uuid("7a39e1b2-0cdb-4c10-9f0a-3f1d6a7f7b11"),
    PlainDate: new xcom.PlainDate("2026-01-02"),
    Timedelta: new xcom.Timedelta(90.5),
    TimeZone: new xcom.TimeZone("Europe/Berlin"),
    Tuple: xcom.Tuple.of<unknown>(1, "two"),
    FrozenSet: new xcom.FrozenSet([1, 2]),
    DataFrame: new xcom.DataFrame("AB01"),
    Envelope: new xcom.Envelope("acme.Invoice", 3, { total: 1 }),
    Float: new xcom.Float(1),
  };
}

/** What `mine` has to do with what `other` made, by title. */
export function crossings(mine: Copy, other: Copy): Record<string, () => Promise<void>> {
  const backend = (of: Copy, storage: Core.Storage, path = BASE, more: object = {}) =>
    new of.xcom.XComObjectStorageBackend({ storage, path, threshold: 0, ...more });
  const sign = (connection: Main.ConnectionLike) =>
    mine.main
      .openStorage({ connections: { it: connection }, env: {} })
      .signedUrl("s3://it@bucket/key")
      .then(({ url }) => url);
  return {
    "a path is written, listed, copied and deleted": async () => {
      const storage = mine.main.openStorage({ env: {} });
      const [a, b] = ["a", "b"].map((key) => other.main.StoragePath.parse(`memory://bucket/${key}`));
      await storage.write(a!, "text");
      await storage.copy(a!, b!);
      const found: Main.StoragePath[] = [];
      for await (const { path } of storage.list(other.main.StoragePath.parse("memory://bucket"))) found.push(path);
      expect(found.map((path) => path.equals(a!))).toEqual([true, false]);
      await storage.delete(a!);
      await storage.delete([b!]);
      expect(await storage.exists(b!)).toBe(false);
      const based = backend(mine, storage, a!.join("base") as never);
      expect(await based.loadValue(await based.storeValue(OWNER, "k", 1))).toBe(1);
    },
    "every value of a row and of an object comes back as our own": async () => {
      const own = valuesOf(mine);
      for (const [name, value] of Object.entries(valuesOf(other))) {
        for (const threshold of [-1, 0]) {
          const xcom = backend(mine, mine.main.openStorage({ env: {} }), BASE, { threshold });
          const back = async (given: unknown) => xcom.loadValue(await xcom.storeValue(OWNER, "k", { inside: given }));
          const [found, expected] = [await back(value), await back(own[name])];
          expect(found, name).toEqual(expected);
        }
      }
    },
    "a connection, a Secret and a nested Secret sign": async () => {
      const connection = { type: "aws", login: "ID", password: new other.main.Secret("s") };
      const extra = { region_name: "eu-central-1", aws_session_token: new other.main.Secret("token") };
      expect(await sign({ ...connection, extra })).toContain("X-Amz-Security-Token=token");
      const parsed = other.main.parseConnection("aws://ID:s@/?region_name=eu-central-1&aws_session_token=token");
      expect(await sign(parsed)).toContain("X-Amz-Security-Token=token");
    },
    "layers stand on backends and replicas": async () => {
      const storage = mine.main.openStorage({ env: {} });
      const targets = (base: string) => [backend(other, storage, base), backend(other, storage, `${base}-2`)];
      const kept = mine.xcom.replicate({ targets: targets(BASE) });
      expect(await kept.loadValue(await kept.storeValue(OWNER, "k", [1]))).toEqual([1]);
      for (const make of [
        (path: Main.StoragePath) => backend(other, storage, String(path)),
        (path: Main.StoragePath) => other.xcom.replicate({ targets: targets(String(path)) }),
      ]) {
        const layer = mine.xcom.withRetention({ path: BASE, backend: make, rules: [{ class: "day", dag: "d" }] });
        expect(await layer.storeValue(OWNER, "k", 1)).toContain("retention=day");
      }
    },
    "a driver's errors keep their codes and keys": async () => {
      const inner = other.core.memory();
      const open: Driver.OpenDriver = async (...place) => ({
        ...(await inner.open(...place)),
        stat: () => Promise.reject(other.driver.failure("Throttled", "slow down")),
        delete: (objects) => {
          const failures = objects.map(({ key }) => ({ key, error: other.driver.failure("PermissionDenied", "no") }));
          return Promise.reject(new other.driver.BatchDeleteError(failures));
        },
      });
      const storage = mine.main.openStorage({ env: {}, drivers: [{ schemes: ["mine"], open }] });
      await expect(storage.stat("mine://b/k")).rejects.toMatchObject({ code: "Throttled", retryable: true });
      const failed: unknown = await storage.delete(["mine://b/k", "mine://b/l"]).catch((error: unknown) => error);
      for (const copy of [mine, other]) {
        expect(copy.main.isBatchError(failed)).toBe(true);
        expect(copy.main.isStorageError(failed, "PermissionDenied")).toBe(true);
      }
      expect(failed).toMatchObject({ failureCount: 2, failures: [{ path: "mine://b/k" }, { path: "mine://b/l" }] });
    },
    "features restrict, serializers and codecs serve": async () => {
      const { allowedTypes, serializers, keyTemplates } = other.core;
      const { createStorage, memory, XComObjectStorageBackend } = mine.core;
      const storage = createStorage({ drivers: [memory(), other.core.file("/")], codecs: [other.codecs.gzip] });
      const options = { storage, path: BASE, threshold: 0, compression: "gzip" } as const;
      const strict = new XComObjectStorageBackend({ ...options, allowedTypes: [] }, { ...allowedTypes });
      const refused = strict.storeValue(OWNER, "k", new mine.xcom.Decimal("1.1"));
      await expect(refused).rejects.toMatchObject({ code: "InvalidArgument" });
      const table = new XComObjectStorageBackend(
        {
          ...options,
          serializers: [other.tables.tables({ format: "csv", schema: SCHEMA })],
          keyTemplate: "{dag_id}/{key}_{uuid}.json",
        },
        { ...serializers, ...keyTemplates },
      );
      const rows = [{ n: new other.xcom.Float(1), day: new other.xcom.PlainDate("2026-01-02") }];
      const stored = await table.storeValue(OWNER, "k", rows);
      expect(stored).toContain(".csv.gz");
      expect(await table.loadValue(stored)).toMatchObject([{ day: { iso: "2026-01-02" } }]);
    },
    "a Storage carries a backend": async () => {
      const xcom = backend(mine, other.main.openStorage({ env: {} }) as never, BASE, { compression: "gzip" });
      expect(await xcom.loadValue(await xcom.storeValue(OWNER, "k", { n: 1 }))).toEqual({ n: 1 });
    },
  };
}
