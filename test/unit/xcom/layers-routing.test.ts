/** Several backends behind one. */
import { describe, expect, test } from "vitest";
import {
  type RouteOptions,
  routeXComs,
  XComObjectStorageBackend,
  type XComObjectStorageBackendOptions,
} from "../../../src/xcom.js";
import { buffers, OWNER, world } from "../../support/xcom-world.js";

function make() {
  const { storage, calls } = world();
  const backend = (path: string, options: Partial<XComObjectStorageBackendOptions> = {}) =>
    new XComObjectStorageBackend({ storage, path, threshold: 100, ...options });
  const backends = {
    warm: backend("s3://conn@warm/xcom"),
    cold: backend("gs://other@cold/xcom", { threshold: 0, compression: "gzip", layout: "uuid" }),
  };
  return { storage, calls, backend, backends };
}

describe("routeXComs", () => {
  test("stores by type, size, Dag, task and key, and reads from wherever a value is", async () => {
    const { backends } = make();
    const routed = routeXComs({
      backends,
      async route(value, { owner, key, size }) {
        if (Array.isArray(value) || owner.dagId === "archive" || key === "report") return "cold";
        return ((await size()) ?? 0) > 1000 ? "cold" : "warm";
      },
    });
    const other = routeXComs({ backends, route: () => "warm" });
    for (const [owner, key, value, start] of [
      [OWNER, "k", [1], "gs://other@cold/"],
      [{ ...OWNER, dagId: "archive" }, "k", 1, "gs://other@cold/"],
      [OWNER, "report", 1, "gs://other@cold/"],
      [OWNER, "k", "x".repeat(2000), "gs://other@cold/"],
      [OWNER, "k", "x".repeat(200), "s3://conn@warm/"],
      [OWNER, "k", { a: 1 }, undefined],
    ] as const) {
      const row = await routed.storeValue(owner, key, value);
      if (start) expect(String(row).startsWith(start)).toBe(true);
      else expect(row).toEqual(value);
      for (const reader of [routed, other]) expect(await reader.loadValue(row, { owner })).toEqual(value);
      expect(await other.purge(row, { owner })).toBe(start !== undefined);
      if (start) await expect(backends.warm.storage.exists(String(row))).resolves.toBe(false);
    }
  });

  test("the owner is compared in whichever store it is, without a request", async () => {
    const { backends, calls } = make();
    const routed = routeXComs({ backends, route: () => "cold" });
    const row = await routed.storeValue(OWNER, "k", 1);
    calls.length = 0;
    const owner = { ...OWNER, dagId: "other" };
    await expect(routed.loadValue(row, { owner })).rejects.toMatchObject({ code: "PermissionDenied" });
    await expect(routed.purge(row, { owner })).rejects.toMatchObject({ code: "PermissionDenied" });
    expect(calls).toEqual([]);
  });

  test("two backends with one base and different serializers read each other's values", async () => {
    const { backend } = make();
    const base = "s3://conn@warm/xcom";
    const backends = { json: backend(base), files: backend(base, { serializers: [buffers] }) };
    const routed = routeXComs({ backends, route: (value) => (Buffer.isBuffer(value) ? "files" : "json") });
    const row = await routed.storeValue(OWNER, "k", Buffer.from("x"));
    expect(await routed.loadValue(row)).toEqual(Buffer.from("x"));
    expect(
      await routeXComs({ backends: { json: backends.json }, route: () => "json" })
        .loadValue(row)
        .catch(String),
    ).toMatch(/Unsupported.*\.bin/);
  });

  test("another connection to the same bucket is another store", async () => {
    const { backend } = make();
    const backends = { a: backend("s3://conn@warm/xcom"), b: backend("s3://other@warm/xcom", { threshold: 0 }) };
    const routed = routeXComs({ backends, route: () => "b" });
    const row = await routed.storeValue(OWNER, "k", 5);
    expect(row).toMatch(/^s3:\/\/other@/);
    expect(await routed.loadValue(row, { owner: OWNER })).toBe(5);
    expect(await routed.purge(row, { owner: OWNER })).toBe(true);
  });

  test("a text that is a reference of another backend is refused instead of read as its value", async () => {
    const { backends } = make();
    const routed = routeXComs({ backends, route: (_, { key }) => (key === "cold" ? "cold" : "warm") });
    const row = await routed.storeValue(OWNER, "cold", "secret");
    // Longer than that it would be an object, and come back as itself.
    const warm = routeXComs({
      backends: { ...backends, warm: make().backend("s3://conn@warm/xcom", { threshold: 10_000 }) },
      route: () => "warm",
    });
    await expect(warm.storeValue(OWNER, "k", row)).rejects.toThrow(/InvalidArgument.*backend "cold"/);
    expect(await warm.storeValue(OWNER, "k", [row])).toEqual([row]);
  });

  test("routes nest", async () => {
    const { backends, backend } = make();
    const inner = routeXComs({ backends, route: () => "cold" });
    const outer = routeXComs({ backends: { local: backend("file:///xcom"), inner }, route: () => "inner" });
    const row = await outer.storeValue(OWNER, "k", 5);
    expect(outer.pathsOf(row).map(String)).toEqual([row]);
    expect(await outer.loadValue(row)).toBe(5);
    expect(await outer.purge(row)).toBe(true);
  });

  test("what makes no route is refused, before any request", async () => {
    const { backends, calls } = make();
    const build = (options: unknown) => () => routeXComs(options as RouteOptions<string>);
    expect(build({ backends: {}, route: () => "x" })).toThrow(/there is no backend/);
    expect(build({ backends })).toThrow(/route must be a function/);
    expect(build({ backends: { ...backends, bare: { storeValue() {} } }, route: () => "x" })).toThrow(/"bare"/);
    const lost = routeXComs<string>({ backends, route: () => "luke" });
    await expect(lost.storeValue(OWNER, "k", 1)).rejects.toThrow(/InvalidArgument.*"luke"; there is warm, cold/);
    expect(calls).toEqual([]);
  });
});
