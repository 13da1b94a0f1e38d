/** Serializers, and the list of types that are allowed. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Decimal, defineSerializer, Envelope, type Serializer, serializerOf } from "../../../src/xcom.js";
import { all } from "../../support/all.js";
import { BASE, buffers, make, OWNER, UUID, world } from "../../support/xcom-world.js";

class Invoice {
  constructor(
    readonly id: string,
    readonly total: number,
    readonly due: Date,
  ) {}
  serialize() {
    return { id: this.id, total: this.total, due: this.due };
  }
  static deserialize(data: { id: string; total?: number; due: Date }, version: number): Invoice {
    return new Invoice(data.id, version === 1 ? 0 : data.total!, data.due);
  }
}
const DUE = new Date("2026-11-21T00:00:00Z");

describe("a serializer", () => {
  test.each(["ti", "uuid"] as const)("stores its values under its suffix, then the codec's, in %s", async (layout) => {
    for (const [compression, end] of [
      [null, ".bin"],
      ["zstd", ".bin.zst"],
    ] as const) {
      const { backend, storage } = make({ serializers: [buffers], layout, compression });
      const row = String(await backend.storeValue(OWNER, "k", Buffer.from("é")));
      expect(row.replace(UUID, "").split("/").at(-1)).toBe(layout === "ti" ? `k${end}` : end);
      expect(await storage.text(row, { compression: "infer" })).toBe("é");
      expect(await backend.loadValue(row, { owner: OWNER })).toEqual(Buffer.from("é"));
      expect(await backend.purge(row, { owner: OWNER })).toBe(true);
    }
  });

  test("its values become objects whatever the threshold; all others stay as they were", async () => {
    const { backend, calls } = make({ serializers: [buffers], threshold: 1_000_000 });
    expect(await backend.storeValue(OWNER, "k", Buffer.from("x"))).toMatch(/\.bin$/);
    calls.length = 0;
    expect(await backend.storeValue(OWNER, "k", { a: 1 })).toEqual({ a: 1 });
    expect(calls).toEqual([]);
  });

  test("with threshold -1 a value that only it can carry is refused, one that is JSON stays in its row", async () => {
    const rows = {
      ...buffers,
      name: "test.rows@1",
      suffix: ".rows",
      test: (v: unknown): v is Buffer => Array.isArray(v),
    };
    const { backend, calls } = make({ serializers: [buffers, rows], threshold: -1 });
    await expect(backend.storeValue(OWNER, "k", Buffer.from("x"))).rejects.toThrow(
      /InvalidArgument.*test\.buffer@1.*threshold >= 0/,
    );
    expect(await backend.storeValue(OWNER, "k", [{ a: 1 }])).toEqual([{ a: 1 }]);
    expect(calls).toEqual([]);
  });

  test("the first whose test says so stores a value", async () => {
    const all = { ...buffers, name: "test.all@1", suffix: ".all", test: (_: unknown): _ is Buffer => true };
    expect(await make({ serializers: [all, buffers] }).backend.storeValue(OWNER, "k", Buffer.from(""))).toMatch(
      /\.all$/,
    );
    expect(await make({ serializers: [buffers, all] }).backend.storeValue(OWNER, "k", Buffer.from(""))).toMatch(
      /\.bin$/,
    );
  });

  test("one that the reader lacks is Unsupported, says what to register, and costs no request", async () => {
    const existing = world();
    const row = await make({ serializers: [buffers] }, existing).backend.storeValue(OWNER, "k", Buffer.from("x"));
    const other = { ...buffers, name: "test.other@1", suffix: ".other" };
    for (const [options, known] of [
      [{}, "none"],
      [{ serializers: [other] }, "test.other@1 for .other"],
    ] as const) {
      const { backend, calls } = make(options, existing);
      calls.length = 0;
      const refusal = backend.loadValue(row);
      await expect(refusal).rejects.toMatchObject({ code: "Unsupported" });
      await expect(refusal).rejects.toThrow(`register the one with suffix ".bin" in serializers (there is ${known})`);
      expect(calls).toEqual([]);
    }
    expect(await make({}, existing).backend.purge(row)).toBe(true);
  });

  test("a key with dots is no suffix", async () => {
    const { backend } = make({ serializers: [buffers] });
    const row = await backend.storeValue(OWNER, "a.bin", [1]);
    expect(row).toMatch(/a\.bin\.json$/);
    expect(await backend.loadValue(row)).toEqual([1]);
  });

  test("its own errors come out as they are, and nothing is stored", async () => {
    const broken = { ...buffers };
    const boom = new Error("boom");
    // biome-ignore lint/correctness/useYield: it fails before it has bytes
    broken.encode = async function* () {
      throw boom;
    };
    const { backend, storage } = make({ serializers: [broken] });
    await expect(backend.storeValue(OWNER, "k", Buffer.from("x"))).rejects.toBe(boom);
    const left = await all(storage.list(BASE, { recursive: true }));
    expect(left).toEqual([]);
  });

  test("more than maxDecodedBytes is refused on both ways", async () => {
    const existing = world();
    const { backend } = make({ serializers: [buffers], compression: "gzip" }, existing);
    const row = await backend.storeValue(OWNER, "k", Buffer.alloc(2000));
    const small = make({ serializers: [buffers], maxDecodedBytes: 1999 }, existing).backend;
    await expect(small.storeValue(OWNER, "k", Buffer.alloc(2000))).rejects.toMatchObject({ code: "TooLarge" });
    await expect(small.loadValue(row)).rejects.toMatchObject({ code: "TooLarge" });
  });

  test.each([
    [{ name: "buffer" }, /version behind it/],
    [{ name: "buffer@0" }, /version behind it/],
    [{ suffix: "bin" }, /its suffix is a dot/],
    [{ suffix: ".a.b" }, /its suffix is a dot/],
    [{ suffix: ".Bin" }, /its suffix is a dot/],
    [{ suffix: ".json" }, /choose another/],
    [{ suffix: ".gz" }, /codec's/],
    [{ decode: undefined }, /it needs a function decode/],
  ])("%j is refused", (change, why) => {
    expect(() => defineSerializer({ ...buffers, ...change } as Serializer)).toThrow(why);
    expect(() => make({ serializers: [{ ...buffers, ...change } as Serializer] })).toThrow(/InvalidArgument/);
  });

  test("two with one suffix are refused when the backend is made", () => {
    const other = { ...buffers, name: "test.other@1" };
    expect(() => make({ serializers: [buffers, other] })).toThrow(/test\.buffer@1 has the suffix \.bin too/);
  });
});

describe("serializerOf a class", () => {
  const one = serializerOf(Invoice, { name: "acme.Invoice@1" });
  const two = serializerOf(Invoice, { name: "acme.Invoice@2" });

  test("its instances come back as instances, from JSON in Airflow's envelope", async () => {
    const { backend, storage } = make({ serializers: [two], threshold: 1000 });
    const row = String(await backend.storeValue(OWNER, "k", new Invoice("a", 5.5, DUE)));
    expect(row).toMatch(/k\.acme-invoice$/);
    expect(JSON.parse(await storage.text(row))).toMatchObject({ __classname__: "acme.Invoice", __version__: 2 });
    const back = (await backend.loadValue(row)) as Invoice;
    expect(back).toBeInstanceOf(Invoice);
    expect([back.id, back.total, back.due.getTime()]).toEqual(["a", 5.5, DUE.getTime()]);
  });

  test("data of an older version is handed over with its version, of a newer one refused with what to register", async () => {
    const existing = world();
    const old = await make({ serializers: [one] }, existing).backend.storeValue(OWNER, "k", new Invoice("a", 9, DUE));
    const { backend } = make({ serializers: [two] }, existing);
    expect(await backend.loadValue(old)).toMatchObject({ id: "a", total: 0 });
    const fresh = await backend.storeValue(OWNER, "k", new Invoice("a", 9, DUE));
    const loading = make({ serializers: [one] }, existing).backend.loadValue(fresh);
    await expect(loading).rejects.toThrow(/Unsupported.*register acme\.Invoice@2 in serializers/);
  });

  test("an object of another class is Corrupt; a subclass is not stored as its parent", async () => {
    const { backend, storage } = make({ serializers: [one] });
    const row = String(await backend.storeValue(OWNER, "k", new Invoice("a", 9, DUE)));
    await storage.write(row, '{"__classname__": "acme.Other", "__version__": 1, "__data__": {}}');
    await expect(backend.loadValue(row)).rejects.toMatchObject({ code: "Corrupt" });
    class Credit extends Invoice {}
    await expect(backend.storeValue(OWNER, "k", new Credit("a", 9, DUE))).rejects.toThrow(/Credit is not JSON/);
  });

  test("a class without the methods, and the name of a built-in type, are refused", () => {
    expect(() => serializerOf(Date as never, { name: "acme.date@1" })).toThrow(/static method deserialize/);
    expect(() => serializerOf(Invoice, { name: "datetime.date@1" })).toThrow(/need no serializer/);
  });
});

describe("allowedTypes", () => {
  test("what is not allowed is neither stored nor loaded; JSON always is", async () => {
    const existing = world();
    const open = make({}, existing).backend;
    const { backend, calls } = make({ allowedTypes: ["decimal.*"] }, existing);
    for (const value of [new Set([1]), [DUE], { deep: [new Envelope("acme.Invoice", 1, {})] }]) {
      const row = await open.storeValue(OWNER, "k", value);
      calls.length = 0;
      await expect(backend.storeValue(OWNER, "k", value)).rejects.toThrow(/InvalidArgument.*is not in allowedTypes/);
      expect(calls).toEqual([]);
      await expect(backend.loadValue(row)).rejects.toMatchObject({ code: "PermissionDenied" });
    }
    for (const value of [new Decimal("1.10"), [null, true, "x", { a: 1.5 }], new Map([["a", 1]])])
      await backend.loadValue(await backend.storeValue(OWNER, "k", value));
  });

  test("it holds for values in rows too", async () => {
    const row = await make({ threshold: -1 }).backend.storeValue(OWNER, "k", new Set([1]));
    await expect(make({ allowedTypes: [] }).backend.loadValue(row)).rejects.toMatchObject({ code: "PermissionDenied" });
    const legacy = { __type: "set", __var: [1] };
    await expect(make({ allowedTypes: [] }).backend.loadValue(legacy)).rejects.toThrow(/builtins\.set/);
    expect(await make({ allowedTypes: [] }).backend.loadValue({ __type: "other", __var: 1 })).toEqual({
      __type: "other",
      __var: 1,
    });
  });

  test("patterns match as backtracking would, in time by their length", async () => {
    const allows = async (pattern: string, name: string) => {
      const { backend } = make({ threshold: -1, allowedTypes: [pattern] });
      return backend.storeValue(OWNER, "k", new Envelope(name, 1, 0)).then(
        () => true,
        () => false,
      );
    };
    const letters = fc.stringMatching(/^[ab.]{1,8}$/);
    const pattern = fc.array(fc.constantFrom("a", "b", ".", "*", "?", "[ab]", "[!a]"), { minLength: 1, maxLength: 7 });
    await fc.assert(
      fc.asyncProperty(pattern, letters, async (tokens, name) => {
        const backtracking = tokens.map((token) =>
          token === "*" ? ".*" : token === "?" ? "." : token === "." ? "\\." : token.replace("!", "^"),
        );
        expect(await allows(tokens.join(""), name)).toBe(new RegExp(`^${backtracking.join("")}$`).test(name));
      }),
    );
    expect(await allows(`${"*a".repeat(12)}b`, "a".repeat(900))).toBe(false);
    expect(await allows("*", "a".repeat(1001))).toBe(false);
    const told = await Promise.all([
      allows("a*a", "a"),
      allows("a*a", "aa"),
      allows("*ab*b", "ab"),
      allows("*ab*b", "abb"),
    ]);
    expect(told).toEqual([false, true, false, true]);
  });

  test("a datetime needs no type but its own", async () => {
    const { backend } = make({ allowedTypes: "pendulum.datetime.DateTime datetime.datetime" });
    expect(await backend.loadValue(await backend.storeValue(OWNER, "k", DUE))).toEqual(DUE);
  });

  test("serializers are allowed by name, with the version and without", async () => {
    const existing = world();
    const row = await make({ serializers: [buffers] }, existing).backend.storeValue(OWNER, "k", Buffer.from("x"));
    for (const allowedTypes of [["test.*"], ["test.buffer"], ["test.buffer@1"]])
      expect(await make({ serializers: [buffers], allowedTypes }, existing).backend.loadValue(row)).toBeDefined();
    for (const allowedTypes of [[], ["test"], ["test.buffer@2"]]) {
      const { backend, calls } = make({ serializers: [buffers], allowedTypes }, existing);
      calls.length = 0;
      await expect(backend.loadValue(row)).rejects.toMatchObject({ code: "PermissionDenied" });
      await expect(backend.storeValue(OWNER, "k", Buffer.from("x"))).rejects.toMatchObject({ code: "InvalidArgument" });
      expect(calls).toEqual([]);
    }
  });

  test.each([
    ["acme.*", "acme.a.b", true],
    ["acme.*", "xacme.a", false],
    ["acme.?", "acme.ab", false],
    ["acme.[ab]", "acme.b", true],
    ["acme.[!ab]", "acme.b", false],
    ["acme.[a", "acme.[a", true],
    ["a.b", "aXb", false],
    ["acme.(x|y)", "acme.x", false],
    ["***", "any.thing", true],
  ])("the pattern %s on %s gives %s, as fnmatch does", async (pattern, name, allowed) => {
    const { backend } = make({ allowedTypes: [pattern], threshold: -1 });
    const storing = backend.storeValue(OWNER, "k", new Envelope(name, 1, {}));
    await (allowed ? expect(storing).resolves.toBeDefined() : expect(storing).rejects.toThrow(/allowedTypes/));
  });

  test("what is no pattern is refused when the backend is made", () => {
    for (const pattern of ["", "a b", "[z-a]"])
      expect(() => make({ allowedTypes: [pattern] })).toThrow(/InvalidArgument.*allowedTypes/);
  });

  test("what is not JSON and has no serializer is refused before any write", async () => {
    const { backend, calls } = make({ allowedTypes: ["*"] });
    for (const value of [Buffer.from("x"), new (class Thing {})(), () => 1, Symbol("s")])
      await expect(backend.storeValue(OWNER, "k", { value })).rejects.toMatchObject({ code: "InvalidArgument" });
    expect(calls).toEqual([]);
  });
});
