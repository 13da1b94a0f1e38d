/** Every pair of backend, alias, replicas, route, retention classes and moved base: they work together or are refused. */
import { describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import type { XComObjectStorageBackendOptions } from "../../../src/objectstore-backend.js";
import { withMoved } from "../../../src/xcom/layers/moved.js";
import { replicate } from "../../../src/xcom/layers/replicate.js";
import { withRetention } from "../../../src/xcom/layers/retention.js";
import { type RoutedBackend, routeXComs } from "../../../src/xcom/layers/route.js";
import { lineReferences } from "../../../src/xcom/operations/references.js";
import { sweep } from "../../../src/xcom/operations/sweep.js";
import { memoryRows } from "../../../src/xcom/rows/memory.js";
import { XCom } from "../../../src/xcom/xcom.js";
import { OWNER, type World, world } from "../../support/xcom-world.js";

/** The base that both sides of a pair lead to. */
const BASE = "s3://conn@shared/xcom";
const COPY = "gs://conn@copy/xcom";
/** Where the other side of a pair has its own values. */
const ASIDE = "s3://conn@aside/xcom";
const BUCKETS = ["s3://conn@shared", "gs://conn@copy", "s3://conn@aside", "gs://conn@next"];
const THEIRS = { ...OWNER, dagId: "theirs" };
const VALUE = { rows: [1, 2, 3] };
const TEMPLATE = "{dag_id}/{run_id}/{task_id}/{map_index}/{key}_data_{uuid}.json";

interface Kit extends World {
  at(path: string, more?: Partial<XComObjectStorageBackendOptions>): XComObjectStorageBackend;
}

function kit(): Kit {
  const { storage, calls } = world();
  const at: Kit["at"] = (path, more) =>
    new XComObjectStorageBackend({
      storage,
      path,
      threshold: 0,
      ...(more?.keyTemplate ? {} : { layout: "uuid" }),
      ...more,
    });
  return { storage, calls, at };
}

/** Where the base of an alias lies, beside a base that it leads to; another connection is the same bucket. */
const ALIASES = {
  "at the base": (base: string) => base,
  "at the base, by another connection": (base: string) => base.replace("conn@", "extra@"),
  "that covers the base": (base: string) => base.slice(0, base.lastIndexOf("/")),
  "below the base": (base: string, object: string) => object.slice(0, object.indexOf("/", base.length + 1)),
};

/** A layer over `BASE`, or over a base that holds its copies. `stored` writes a value; `copies` are all of its objects. */
interface Layer {
  make(kit: Kit): RoutedBackend;
  /** The bases below which an alias may lead to one of the value's objects. @default only BASE */
  bases?: string[];
  copies: number;
}

const LAYERS: Record<string, Layer> = {
  "a backend": { make: ({ at }) => at(BASE), copies: 1 },
  "a backend with a key template": { make: ({ at }) => at(BASE, { keyTemplate: TEMPLATE }), copies: 1 },
  replicas: {
    make: ({ at }) => replicate({ targets: [at(BASE), at(COPY)], repair: true }),
    bases: [BASE, COPY],
    copies: 2,
  },
  "a retention class": {
    make: ({ at }) => withRetention({ path: BASE, backend: (path) => at(String(path)), rules: [{ class: "day" }] }),
    bases: [BASE, `${BASE}/retention=day`],
    copies: 1,
  },
  "a retention class with replicas": {
    make: ({ at }) =>
      withRetention({
        path: BASE,
        // Copies of a class stand elsewhere than below the copies of the base.
        backend: (path) =>
          replicate({ targets: [at(String(path)), at(path.name === "xcom" ? COPY : `gs://conn@copy/${path.name}`)] }),
        rules: [{ class: "day" }],
      }),
    bases: [BASE, `${BASE}/retention=day`, "gs://conn@copy/retention=day"],
    copies: 2,
  },
  "a route": { make: ({ at }) => routeXComs({ backends: { one: at(BASE) }, route: () => "one" }), copies: 1 },
  "a route with replicas beside a plain backend": {
    make: ({ at }) =>
      routeXComs({
        backends: { plain: at(BASE), safe: replicate({ targets: [at(BASE), at(COPY)] }) },
        route: () => "safe",
      }),
    bases: [BASE, COPY],
    copies: 2,
  },
  "a moved base": {
    make: ({ at }) =>
      withMoved({ backend: at("gs://conn@next/xcom"), from: replicate({ targets: [at(BASE), at(COPY)] }) }),
    bases: [BASE, COPY],
    copies: 2,
  },
};

/** The writer of a moved base is its old side; every other layer writes itself. */
async function stored(kit: Kit, layer: Layer): Promise<string> {
  const made = layer.make(kit);
  const writer = layer === LAYERS["a moved base"] ? replicate({ targets: [kit.at(BASE), kit.at(COPY)] }) : made;
  return String(await writer.storeValue(OWNER, "k", VALUE));
}

async function left({ storage }: Kit): Promise<string[]> {
  const found: string[] = [];
  for (const bucket of BUCKETS)
    for await (const { path, type } of storage.list(bucket, { recursive: true }))
      if (type === "file") found.push(String(path));
  return found;
}

describe("an alias of another route", () => {
  const aliased = (kit: Kit, layer: Layer, base: string, more: Partial<XComObjectStorageBackendOptions> = {}) => {
    const reader = kit.at(ASIDE, { readAliases: { "old://": base }, ...more });
    return routeXComs({ backends: { reader, owner: layer.make(kit) }, route: () => "owner" });
  };

  for (const [name, layer] of Object.entries(LAYERS))
    for (const [where, aliasBase] of Object.entries(ALIASES))
      for (const base of layer.bases ?? [BASE])
        describe(`${where} of ${name}, ${base}`, () => {
          const setUp = async (more?: Partial<XComObjectStorageBackendOptions>) => {
            const here = kit();
            const reference = await stored(here, layer);
            const objects = await left(here);
            const object = objects.find((path) => path.startsWith(`${base}/`))!;
            const to = aliasBase(base, object);
            const row = `old://${object.slice(to.replace("extra@", "conn@").length + 1)}`;
            return { here, reference, row, objects, to, backend: aliased(here, layer, to, more) };
          };
          test("is read, from any copy, by its owner alone", async () => {
            const { here, row, objects, backend } = await setUp();
            expect(objects).toHaveLength(layer.copies);
            expect(await backend.loadValue(row, { owner: OWNER })).toEqual(VALUE);
            const theirs = backend.loadValue(row, { owner: THEIRS });
            await expect(theirs).rejects.toMatchObject({ code: "PermissionDenied" });
            for (const path of objects) {
              const bytes = await here.storage.bytes(path);
              await here.storage.delete(path);
              const isRead = backend.loadValue(row, { owner: OWNER });
              if (layer.copies > 1) expect(await isRead).toEqual(VALUE);
              else await expect(isRead).rejects.toMatchObject({ code: "NotFound" });
              await here.storage.write(path, bytes);
            }
          });
          test("is purged with all copies if that is asked for, by its owner alone", async () => {
            const { here, row, objects, backend } = await setUp({ purgeAliases: true });
            await expect(backend.purge(row, { owner: THEIRS })).rejects.toMatchObject({ code: "PermissionDenied" });
            expect(await left(here)).toEqual(objects);
            const rows = memoryRows();
            await rows.set({ ...OWNER, key: "k" }, row);
            const report = await new XCom({ rows, backend }).clear(OWNER);
            expect(await left(here)).toEqual([]);
            expect(report).toMatchObject({ rows: 1, left: [], kept: [] });
          });
          test("keeps all copies if it is not", async () => {
            const { here, row, objects, backend } = await setUp();
            expect(await backend.purge(row, { owner: OWNER })).toBe(false);
            expect(await left(here)).toEqual(objects);
          });
          test("keeps the object from a sweep", async () => {
            const { here, row, reference, to } = await setUp();
            const aliases = { "old://": to };
            const source = lineReferences([row]);
            const report = await sweep({
              storage: here.storage,
              path: base,
              sources: [source],
              aliases,
              graceMs: 0,
              force: true,
            });
            expect([report.orphaned, reference !== row]).toEqual([0, true]);
          });
        });
});

describe("an alias of the layer itself", () => {
  /** The layers whose own backends can have the alias. */
  const own: Record<string, (kit: Kit, more: Partial<XComObjectStorageBackendOptions>) => RoutedBackend> = {
    replicas: ({ at }, more) => replicate({ targets: [at(BASE, more), at(COPY)] }),
    "a retention class with replicas": ({ at }, more) =>
      withRetention({
        path: BASE,
        backend: (path) => replicate({ targets: [at(String(path), more), at(`gs://conn@copy/${path.name}`)] }),
        rules: [{ class: "day" }],
      }),
    "the new side of a moved base": ({ at }, more) =>
      withMoved({
        backend: at("gs://conn@next/xcom", more),
        from: replicate({ targets: [at(BASE), at(COPY)] }),
      }),
    "the old side of a moved base": ({ at }, more) =>
      withMoved({
        backend: at("gs://conn@next/xcom"),
        from: replicate({ targets: [at(BASE, more), at(COPY)] }),
      }),
  };
  for (const [name, make] of Object.entries(own))
    for (const to of ["s3://extra@shared", "gs://extra@copy"])
      test(`of ${name}, to ${to}: every copy is read and purged, by its owner alone`, async () => {
        const here = kit();
        const writer = name.includes("moved") ? replicate({ targets: [here.at(BASE), here.at(COPY)] }) : make(here, {});
        await writer.storeValue(OWNER, "k", VALUE);
        const objects = await left(here);
        expect(objects).toHaveLength(2);
        const start = to.replace("extra@", "conn@");
        const row = `old://${objects.find((path) => path.startsWith(start))!.slice(start.length + 1)}`;
        const reading = make(here, { readAliases: { "old://": to } });
        const purging = make(here, { readAliases: { "old://": to }, purgeAliases: true });
        expect([await reading.purge(row, { owner: OWNER }), reading.pathsOf(row)]).toEqual([false, []]);
        const forbidden = { code: "PermissionDenied" };
        await expect(reading.loadValue(row, { owner: THEIRS })).rejects.toMatchObject(forbidden);
        await expect(purging.purge(row, { owner: THEIRS })).rejects.toMatchObject(forbidden);
        for (const path of objects) {
          const bytes = await here.storage.bytes(path);
          await here.storage.delete(path);
          expect(await reading.loadValue(row, { owner: OWNER })).toEqual(VALUE);
          await here.storage.write(path, bytes);
        }
        expect(purging.pathsOf(row, { owner: OWNER })).toHaveLength(2);
        expect(await purging.purge(row, { owner: OWNER })).toBe(true);
        expect(await left(here)).toEqual([]);
      });

  test("a repair restores a copy that an alias leads to", async () => {
    const here = kit();
    const made = (more = {}) => replicate({ targets: [here.at(BASE, more), here.at(COPY)], repair: true });
    const row = String(await made().storeValue(OWNER, "k", VALUE));
    await here.storage.delete(row);
    const reader = made({ readAliases: { "old://": COPY } });
    expect(await reader.loadValue(`old://${row.slice(BASE.length + 1)}`, { owner: OWNER })).toEqual(VALUE);
    expect(await here.storage.exists(row)).toBe(true);
  });

  test("names below a base without a layout are read as they were, since they are nobody's XComs", async () => {
    const here = kit();
    await here.storage.write(`${BASE}/legacy.json`, "5");
    const reader = here.at(ASIDE, { readAliases: { "old://": BASE }, purgeAliases: true });
    const routed = routeXComs({ backends: { reader, other: here.at(BASE) }, route: () => "other" });
    expect(await routed.loadValue("old://legacy.json", { owner: OWNER })).toBe(5);
    expect(await routed.purge("old://legacy.json", { owner: OWNER })).toBe(true);
    expect(await left(here)).toEqual([]);
  });
});

/** Pairs without an alias: both sides over one base, or one below the other. */
describe("two of a kind, or of two kinds", () => {
  const over = (make: (kit: Kit) => RoutedBackend) => make;
  const at = (base: string) => over((here) => here.at(base));
  const copies = (first: string, second: string) =>
    over((here) => replicate({ targets: [here.at(first), here.at(second)] }));
  const classes = (base: string) =>
    over((here) => withRetention({ path: base, backend: (path) => here.at(String(path)), rules: [{ class: "day" }] }));
  const moved = (from: string, to: string) => over((here) => withMoved({ backend: here.at(to), from: here.at(from) }));
  const sides: Record<string, (kit: Kit) => RoutedBackend> = {
    "a backend": at(BASE),
    "a backend below": at(`${BASE}/below`),
    "a backend above": at("s3://conn@shared"),
    "a backend of another connection": at(BASE.replace("conn@", "extra@")),
    replicas: copies(BASE, COPY),
    "replicas the other way round": copies(COPY, BASE),
    "replicas below": copies(`${BASE}/below`, `${COPY}/below`),
    "retention classes": classes(BASE),
    "a retention class": at(`${BASE}/retention=day`),
    "retention classes below": classes(`${BASE}/below`),
    "a moved base": moved(BASE, "gs://conn@next/xcom"),
    "a moved base, moved here": moved("gs://conn@next/xcom", BASE),
    "a route": over((here) => routeXComs({ backends: { in: here.at(BASE) }, route: () => "in" })),
  };
  const names = Object.keys(sides);
  test.each(names.flatMap((one) => names.map((other) => [one, other])))(
    "a route to %s and to %s: what one stores both copies and reads, and a purge leaves nothing",
    async (one, other) => {
      const here = kit();
      const backends = { one: sides[one!]!(here), other: sides[other!]!(here) };
      for (const name of ["one", "other"] as const) {
        const routed = routeXComs<"one" | "other">({ backends, route: () => name });
        const row = await routed.storeValue(OWNER, "k", VALUE);
        const objects = await left(here);
        const paths = routed.pathsOf(row, { owner: OWNER }).map((path) => String(path).replace("extra@", "conn@"));
        expect(paths).toEqual(expect.arrayContaining(objects));
        expect(await routed.loadValue(row, { owner: OWNER })).toEqual(VALUE);
        await expect(routed.loadValue(row, { owner: THEIRS })).rejects.toMatchObject({ code: "PermissionDenied" });
        await expect(routed.purge(row, { owner: THEIRS })).rejects.toMatchObject({ code: "PermissionDenied" });
        if (objects.length > 1)
          for (const path of objects) {
            const bytes = await here.storage.bytes(path);
            await here.storage.delete(path);
            expect(await routed.loadValue(row, { owner: OWNER })).toEqual(VALUE);
            await here.storage.write(path, bytes);
          }
        expect(await routed.purge(row, { owner: OWNER })).toBe(true);
        expect(await left(here)).toEqual([]);
      }
    },
  );

  test.each<[string, (kit: Kit) => unknown, RegExp]>([
    ["replicas over one base", copies(BASE, BASE), /is the target .*, or lies in it; give each a place of its own/],
    ["replicas within replicas", copies(BASE, `${BASE}/copy`), /lies in it; give each a place of its own/],
    ["classes within a class", classes(`${BASE}/retention=day`), /give the base path above it/],
    [
      "classes within classes",
      (here) => withRetention({ path: BASE, backend: () => classes(BASE)(here) as never, rules: [] }),
      /put other layers around/,
    ],
    ["a move to the same base", moved(BASE, BASE), /are not apart/],
    ["a move to a place below", moved(BASE, `${BASE}/new`), /are not apart/],
    [
      "a move to replicas, one of which is the old base",
      ({ at }) => withMoved({ backend: replicate({ targets: [at("gs://conn@next/xcom"), at(BASE)] }), from: at(BASE) }),
      /is also a base of the side at .*; leave it out there, or read the old rows by readAliases instead/,
    ],
    [
      "a move from replicas, one of which is the new base",
      ({ at }) => withMoved({ backend: at(BASE), from: replicate({ targets: [at("gs://conn@next/xcom"), at(BASE)] }) }),
      /is also a base of the side at /,
    ],
    [
      "an alias whose prefix is the base",
      (here) => here.at(BASE, { readAliases: { [`${BASE}/`]: COPY } }),
      /a reference must have one meaning/,
    ],
    [
      "two aliases with one prefix",
      (here) => here.at(BASE, { readAliases: { "x://": COPY, "x://y/": COPY } }),
      /a reference must have one meaning/,
    ],
  ])("%s is refused, and says how to mend it", (_, make, why) => {
    expect(() => make(kit())).toThrow(why);
  });

  test("an alias whose prefix covers the base of another route is refused, and says how to mend it", () => {
    const here = kit();
    const reader = here.at(ASIDE, { readAliases: { "s3://conn@shared/": COPY } });
    for (const other of [here.at(BASE), copies(BASE, COPY)(here), classes(BASE)(here)])
      expect(() => routeXComs({ backends: { reader, other }, route: () => "other" })).toThrow(
        /"reader" has a prefix that covers .*, the base of "other"; leave that alias out, or the backend of the base/,
      );
  });

  test.each<[string, (kit: Kit) => unknown]>([
    ["XComObjectStorageBackend", ({ at }) => at(BASE, { treshold: 1 } as never)],
    ["replicate", ({ at }) => replicate({ targets: [at(BASE)], repairs: true } as never)],
    ["withRetention", ({ at }) => withRetention({ path: BASE, backend: at, rules: [], rule: [] } as never)],
    ["routeXComs", ({ at }) => routeXComs({ backends: { one: at(BASE) }, route: () => "one", routes: 1 } as never)],
    ["withMoved", ({ at }) => withMoved({ backend: at(BASE), from: at(COPY), to: BASE } as never)],
    ["XCom", ({ at }) => new XCom({ rows: memoryRows(), backend: at(BASE), row: 1 } as never)],
  ])("an unknown option of %s is refused by name", (name, make) => {
    expect(() => make(kit())).toThrow(new RegExp(`unknown option .* of ${name}`));
  });

  test("instead of a move to replicas, one of which is the old base, an alias reads and purges the old rows", async () => {
    const here = kit();
    const next = here.at("gs://conn@next/xcom", {
      readAliases: { [`${BASE}/`]: "gs://conn@next/xcom" },
      purgeAliases: true,
    });
    const backend = replicate({ targets: [next, here.at(BASE)] });
    const row = String(await backend.storeValue(OWNER, "k", VALUE)).replace("gs://conn@next/xcom", BASE);
    expect(await backend.loadValue(row, { owner: OWNER })).toEqual(VALUE);
    expect(await backend.purge(row, { owner: OWNER })).toBe(true);
    expect(await left(here)).toEqual([]);
  });

  test("a move from retention classes to a base without them does not hide that an object is gone", async () => {
    const here = kit();
    const from = withRetention({
      path: BASE,
      backend: (path) => here.at(String(path)),
      rules: [{ class: "day" }],
    });
    const backend = withMoved({ backend: here.at("gs://conn@next/xcom"), from });
    const row = String(await from.storeValue(OWNER, "k", VALUE));
    await here.storage.delete(row);
    await expect(backend.loadValue(row, { owner: OWNER })).rejects.toMatchObject({ code: "NotFound" });
    const spread = over((kit) =>
      withRetention({
        path: BASE,
        backend: (path) => replicate({ targets: [kit.at(String(path)), kit.at(`gs://conn@copy/${path.name}`)] }),
        rules: [{ class: "day" }],
      }),
    )(here);
    const routed = routeXComs({ backends: { moved: backend, spread }, route: () => "spread" });
    const other = String(await routed.storeValue(OWNER, "other", VALUE));
    await here.storage.delete(other);
    expect(await routed.loadValue(other, { owner: OWNER })).toEqual(VALUE);
  });

  test("a text that a moved base would read as one of its old references is refused", async () => {
    const here = kit();
    const old = await here.at(BASE).storeValue(OWNER, "k", VALUE);
    const backend = withMoved({ backend: here.at(ASIDE, { threshold: 1000 }), from: here.at(BASE) });
    await expect(backend.storeValue(OWNER, "k", old)).rejects.toMatchObject({
      code: "InvalidArgument",
      detail: expect.stringMatching(/send it in an array or an object, or give the new backend threshold 0/),
    });
    expect(await backend.storeValue(OWNER, "k", [old])).toEqual([old]);
  });

  test("a route finds the copy where the first owner returns the reference of a missing object", async () => {
    const here = kit();
    const backends = { lenient: here.at(BASE, { onMissing: "reference" }), safe: copies(BASE, COPY)(here) };
    const routed = routeXComs({ backends, route: () => "safe" });
    const row = await routed.storeValue(OWNER, "k", VALUE);
    await here.storage.delete(String(row));
    expect(await routed.loadValue(row)).toEqual(VALUE);
  });
});
