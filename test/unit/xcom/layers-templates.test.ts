/** Key templates and the aliases of old references. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { XComObjectStorageBackendOptions } from "../../../src/objectstore-backend.js";
import { BASE, make, OWNER, TI, UUID, world } from "../../support/xcom-world.js";

const TUTORIAL = "{dag_id}/{run_id}/{task_id}/{map_index}/{key}_data_{uuid}.json";

const refusal = (options: Partial<XComObjectStorageBackendOptions>) => () => make(options);

describe("keyTemplate", () => {
  test("names objects by it: ids are one segment each, the codec's suffix follows", async () => {
    const { backend, storage } = make({ keyTemplate: TUTORIAL, compression: "gzip" });
    const row = String(await backend.storeValue({ ...OWNER, mapIndex: 3 }, "a/b", [1]));
    expect(row.replace(UUID, "<uuid>")).toBe(
      `${BASE}/my_dag/manual__2026-01-02T03%3A04%3A05.678901%2B00%3A00/grp.my_task/3/a%2Fb_data_<uuid>.json.gz`,
    );
    expect(await storage.exists(row)).toBe(true);
  });

  test("what it wrote is read and purged by its owner only", async () => {
    const { backend, calls } = make({ keyTemplate: TUTORIAL });
    const row = await backend.storeValue({ ...OWNER, mapIndex: 3 }, "k", [1]);
    expect(await backend.loadValue(row, { owner: { ...OWNER, mapIndex: 3 } })).toEqual([1]);
    calls.length = 0;
    for (const other of [OWNER, { ...OWNER, mapIndex: 4 }, { ...OWNER, mapIndex: 3, dagId: "my" }]) {
      await expect(backend.loadValue(row, { owner: other })).rejects.toMatchObject({ code: "PermissionDenied" });
      await expect(backend.purge(row, { owner: other })).rejects.toMatchObject({ code: "PermissionDenied" });
    }
    expect(calls).toEqual([]);
    expect(await backend.purge(row, { owner: { ...OWNER, mapIndex: 3 } })).toBe(true);
  });

  test("ids that a template leaves out are not compared", async () => {
    const { backend } = make({ keyTemplate: "{run_id}/{task_id}/data_{uuid}.json" });
    const row = await backend.storeValue(OWNER, "k", 1);
    expect(await backend.loadValue(row, { owner: { ...OWNER, dagId: "any" } })).toBe(1);
    const other = { ...OWNER, taskId: "other" };
    await expect(backend.loadValue(row, { owner: other })).rejects.toMatchObject({ code: "PermissionDenied" });
  });

  test("what only looks like it is a value, and costs no request", async () => {
    const { backend, calls } = make({ keyTemplate: TUTORIAL });
    const id = "0b5e1b1e-0000-4000-8000-000000000001";
    for (const below of [
      `d/r/t/-1/k_data_${id}`,
      `d/r/t/-1/k_${id}.json`,
      `d/r/t/x/k_data_${id}.json`,
      `d/r/t/-2/k_data_${id}.json`,
      `d/r:1/t/-1/k_data_${id}.json`,
      `d/r/../-1/k_data_${id}.json`,
      `d//t/-1/k_data_${id}.json`,
      `a/d/r/t/-1/k_data_${id}.json`,
      `d/r/t/-1/k_data_${id.toUpperCase()}.json`,
    ])
      expect(await backend.loadValue(`${BASE}/${below}`)).toBe(`${BASE}/${below}`);
    expect(calls).toEqual([]);
  });

  test("Airflow's own layouts are read beside it, and their owners compared", async () => {
    const existing = world();
    const reader = make({ keyTemplate: "{dag_id}/{run_id}/{task_id}/{uuid}.json" }, existing).backend;
    for (const layout of ["ti", "uuid"] as const) {
      const row = await make({ layout }, existing).backend.storeValue(OWNER, "k", layout);
      expect(await reader.loadValue(row, { owner: OWNER })).toBe(layout);
    }
    const own = await reader.storeValue(OWNER, "k", "own");
    expect(await reader.loadValue(own, { owner: OWNER })).toBe("own");
  });

  test("two values never share a name, whatever their ids", () => {
    const text = fc.string({ unit: "binary", minLength: 1, maxLength: 8 }).filter((one) => one.isWellFormed());
    const id = fc.oneof(text, fc.constantFrom("a", "a/b", "a%2Fb", "..x", "a_data_b", "a=b", "-1")).filter((one) => {
      return !/[\0\t\r\n]/.test(one) && !one.split("/").some((part) => ["", ".", ".."].includes(part));
    });
    const which = fc.record({ dagId: id, runId: id, taskId: id, key: id, mapIndex: fc.integer({ min: -1, max: 3 }) });
    const keyTemplate = "{dag_id}/{run_id}={task_id}/{map_index}/{key}.json";
    const { backend } = make({ keyTemplate });
    return fc.assert(
      fc.asyncProperty(which, which, async (a, b) => {
        const [one, two] = await Promise.all([a, b].map((at) => backend.storeValue(at, at.key, at.key)));
        const same = JSON.stringify(a) === JSON.stringify(b);
        expect(one === two).toBe(same);
        expect(await backend.loadValue(one, { owner: a })).toBe(a.key);
        const sameOwner = JSON.stringify({ ...a, key: "" }) === JSON.stringify({ ...b, key: "" });
        if (!sameOwner) await expect(backend.loadValue(one, { owner: b })).rejects.toThrow(/PermissionDenied/);
      }),
      { numRuns: 200 },
    );
  });

  test("a path never gets longer than a key may be: ids are cut as in Airflow's layout, and owners still told", async () => {
    const long = { dagId: "d".repeat(150), runId: "é".repeat(30), taskId: "t".repeat(190) };
    const path = `s3://conn@bucket/${"b".repeat(700)}`;
    const { backend } = make({ keyTemplate: TUTORIAL, path });
    const row = String(await backend.storeValue(long, "k".repeat(300), 1));
    expect(Buffer.byteLength(row)).toBeLessThanOrEqual(1024);
    expect(await backend.loadValue(row, { owner: long })).toBe(1);
    await expect(backend.loadValue(row, { owner: { ...long, dagId: "x" } })).rejects.toThrow(/PermissionDenied/);
    const crowded = make({ keyTemplate: TUTORIAL, path: `s3://conn@bucket/${"b".repeat(945)}` }).backend;
    await expect(crowded.storeValue(long, "k", 1)).rejects.toThrow(/InvalidArgument.*shorter base/);
  });

  test("without {uuid} nothing is cut, since two values could share what is left", async () => {
    const keyTemplate = "{dag_id}/{run_id}/{task_id}/{map_index}/{key}.json";
    const { backend } = make({ keyTemplate });
    const long = { ...OWNER, dagId: "d".repeat(201) };
    await expect(backend.storeValue(long, "k", 1)).rejects.toThrow(/InvalidArgument.*add \{uuid\}/);
    const deep = make({ keyTemplate, path: `s3://conn@bucket/${"b".repeat(960)}` }).backend;
    await expect(deep.storeValue(OWNER, "k", 1)).rejects.toThrow(/InvalidArgument.*add \{uuid\}/);
    const first = await backend.storeValue(OWNER, "k", 1);
    expect(await backend.storeValue(OWNER, "k", 2)).toBe(first);
  });

  test.each([
    ["{run_id}/data_{uuid}", /end it in \.json/],
    ["{run_id}/{task_id}/data.json", /add \{uuid\}, or all of \{dag_id\} \{map_index\} \{key\}/],
    ["{run_id}//{uuid}.json", /a segment is empty/],
    ["../{uuid}.json", /"\.\."/],
    ["/{uuid}.json", /a segment is empty/],
    ["{dag_id}_{task_id}_{uuid}.json", /nothing tells \{dag_id\} from \{task_id\}; put a \/ or =/],
    ["{task_id}{map_index}/{uuid}.json", /nothing tells/],
    ["{logical_date}/{uuid}.json", /"\{logical_date\}" is neither one of \{dag_id\}/],
    ["{uuid}/{uuid}.json", /\{uuid\} is in it twice/],
    ["a b/{uuid}.json", /neither/],
    ["%2E/{uuid}.json", /neither/],
  ])("%s is refused when the backend is made", (keyTemplate, why) => {
    expect(refusal({ keyTemplate })).toThrow(why);
    expect(refusal({ keyTemplate })).toThrow(/InvalidArgument/);
  });

  test("layout and keyTemplate contradict each other", () => {
    expect(refusal({ keyTemplate: TUTORIAL, layout: "ti" })).toThrow(/one of layout and keyTemplate/);
  });

  test("an empty key and a map index that is none are refused", async () => {
    const { backend } = make({ keyTemplate: TUTORIAL });
    await expect(backend.storeValue(OWNER, "", 1)).rejects.toThrow(/the key is empty/);
    await expect(backend.storeValue({ ...OWNER, mapIndex: -2 }, "k", 1)).rejects.toThrow(/mapIndex/);
  });

  test("a task instance's id is no part of it", async () => {
    const { backend } = make({ keyTemplate: TUTORIAL });
    expect(await backend.storeValue({ ...OWNER, tiId: TI }, "k", 1)).not.toContain(TI);
  });
});

describe("readAliases", () => {
  const readAliases = { "xcom_s3://": "s3://other@old/keep", "s3_and_gs://": "gs://extra@both" };

  test("rows of other classes are read and purged at their bases", async () => {
    const { backend, storage, calls } = make({ readAliases, purgeAliases: true });
    await storage.write("s3://other@old/keep/r:1/t/data_1.json", '{"a": 1}');
    await storage.write("gs://extra@both/x.json.gz", "[2]", { compression: "gzip" });
    await storage.write("s3://other@old/keep/no_suffix", "3");
    expect(await backend.loadValue("xcom_s3://r:1/t/data_1.json", { owner: OWNER })).toEqual({ a: 1 });
    expect(await backend.loadValue("s3_and_gs://x.json.gz")).toEqual([2]);
    expect(await backend.loadValue("xcom_s3://no_suffix")).toBe(3);
    calls.length = 0;
    expect(await backend.purge("xcom_s3://r:1/t/data_1.json")).toBe(true);
    expect(calls).toEqual(["delete keep/r:1/t/data_1.json"]);
    await expect(backend.loadValue("xcom_s3://r:1/t/data_1.json")).rejects.toMatchObject({ code: "NotFound" });
  });

  test.each([
    "xcom_s3://",
    "xcom_s3://../secret.json",
    "xcom_s3://a/../../secret.json",
    "xcom_s3://a//b.json",
    "xcom_s3:///a.json",
    "xcom_s3://./a.json",
    "xcom_s3://a/",
    "xcom_s3://a\nb.json",
    "XCOM_S3://a.json",
    "xcom_gcs://a.json",
  ])("%j is a value: nothing is read or deleted", async (text) => {
    const { backend, calls } = make({ readAliases });
    expect(await backend.loadValue(text)).toBe(text);
    expect(await backend.purge(text)).toBe(false);
    expect(calls).toEqual([]);
  });

  test("they are not purged unless that is asked for", async () => {
    const { backend, storage, calls } = make({ readAliases });
    await storage.write("s3://other@old/keep/r:1/t/data_1.json", "1");
    calls.length = 0;
    const stored = "xcom_s3://r:1/t/data_1.json";
    expect([await backend.purge(stored), backend.pathsOf(stored), backend.refersTo(stored)]).toEqual([false, [], true]);
    expect(calls).toEqual([]);
    expect(await backend.loadValue(stored)).toBe(1);
    expect(refusal({ purgeAliases: true })).toThrow(/needs readAliases/);
  });

  describe("that cover the base of the backend", () => {
    const covering = { readAliases: { "all://": "s3://other@bucket" }, purgeAliases: true };
    const theirs = { ...OWNER, dagId: "theirs" };
    const below = (reference: unknown) => `all://${String(reference).slice("s3://conn@bucket/".length)}`;

    test("lead to objects of the owner, and to nobody else's", async () => {
      const { backend } = make(covering);
      const stored = below(await backend.storeValue(theirs, "k", [1]));
      expect(await backend.loadValue(stored, { owner: theirs })).toEqual([1]);
      const refused = { code: "PermissionDenied" };
      await expect(backend.loadValue(stored, { owner: OWNER })).rejects.toMatchObject(refused);
      await expect(backend.purge(stored, { owner: OWNER })).rejects.toMatchObject(refused);
      expect(await backend.purge(stored, { owner: theirs })).toBe(true);
    });
    test("lead to nothing below the base that is no XCom's", async () => {
      const { backend, storage, calls } = make(covering);
      await storage.write(`${BASE}/secret.json`, "1");
      calls.length = 0;
      expect(await backend.loadValue("all://xcom/secret.json")).toBe("all://xcom/secret.json");
      expect(await backend.purge("all://xcom/secret.json")).toBe(false);
      expect(calls).toEqual([]);
    });
    test("tell the owner wherever the path has a layout", async () => {
      const { backend } = make({ readAliases: { "old://": "gs://extra@both/base" }, purgeAliases: true });
      const stored = `old://theirs/run/task/ti-${TI}/k.json`;
      await expect(backend.loadValue(stored, { owner: OWNER })).rejects.toMatchObject({ code: "PermissionDenied" });
      await expect(backend.purge(stored, { owner: OWNER })).rejects.toMatchObject({ code: "PermissionDenied" });
    });
  });

  test("a text that looks like one is refused where it would stay in its row", async () => {
    const { backend } = make({ readAliases, threshold: -1 });
    const storing = backend.storeValue(OWNER, "k", "xcom_s3://a.json");
    await expect(storing).rejects.toMatchObject({
      code: "InvalidArgument",
      detail: expect.stringContaining("readAliases"),
    });
    expect(await backend.storeValue(OWNER, "k", ["xcom_s3://a.json"])).toEqual(["xcom_s3://a.json"]);
  });

  test("they are never written, and a text that looks like one comes back as itself", async () => {
    const { backend } = make({ readAliases, threshold: 1000 });
    const row = await backend.storeValue(OWNER, "k", "xcom_s3://a.json");
    expect(row).toContain(BASE);
    expect(await backend.loadValue(row)).toBe("xcom_s3://a.json");
    expect(await backend.storeValue(OWNER, "k", "xcom_s3://../a.json")).toBe("xcom_s3://../a.json");
  });

  test.each([
    [{ xcom_s3: "s3://conn@old" }, /a prefix reads/],
    [{ "": "s3://conn@old" }, /a prefix reads/],
    [{ "xcom_s3://a": "s3://conn@old" }, /a slash at its end/],
    [{ "s3://": "s3://conn@old" }, /overlaps/],
    [{ "s3://conn@bucket/xcom/": "s3://conn@old" }, /overlaps/],
    [{ "s3://conn@bucket/xcom/old/": "s3://conn@old" }, /overlaps/],
    [{ "x://": "s3://conn@old", "x://y/": "s3://conn@older" }, /overlaps/],
    [{ "x://": "old" }, /scheme/],
    [{ "x://": "s3://conn@old/a/../b" }, /"\.\."/],
  ])("%j is refused when the backend is made", (readAliases, why) => {
    expect(refusal({ readAliases: readAliases as Record<string, string> })).toThrow(why);
  });

  test("an alias beside the base is none of its references", () => {
    expect(refusal({ readAliases: { "s3://conn@bucket/xcom2/": "s3://conn@bucket/xcom2" } })).not.toThrow();
  });
});
