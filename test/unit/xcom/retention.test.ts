/** Retention classes, and the policies of buckets that let them expire. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetBucketLifecycleConfigurationCommand, PutBucketLifecycleConfigurationCommand } from "@aws-sdk/client-s3";
import { beforeEach, describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import { openStorage } from "../../../src/open.js";
import { StoragePath } from "../../../src/path.js";
import { type LifecycleOptions, lifecyclePolicy, tooShort } from "../../../src/xcom/layers/lifecycle.js";
import { replicate } from "../../../src/xcom/layers/replicate.js";
import { type RetentionOptions, withRetention } from "../../../src/xcom/layers/retention.js";
import type { RetentionRule } from "../../../src/xcom/layers/retention-rules.js";
import { routeXComs } from "../../../src/xcom/layers/route.js";
import type { XComBackend } from "../../../src/xcom/options.js";
import { memoryRows } from "../../../src/xcom/rows/memory.js";
import { XCom } from "../../../src/xcom/xcom.js";
import { s3Client } from "../../servers/index.mjs";
import { describeOn, useBucket } from "../../servers/use.js";
import { jsonLines, stowage } from "../../support/command.js";
import { OWNER, type World, world } from "../../support/xcom-world.js";

const BASE = "s3://conn@b/xcom";
const BIG = { text: "x".repeat(500) };

let here: World;
beforeEach(() => {
  here = world();
});

const plain = (path: StoragePath | string, threshold = 100) =>
  new XComObjectStorageBackend({ storage: here.storage, path, threshold });
const layer = (rules: readonly RetentionRule[], more: Partial<RetentionOptions> = {}) =>
  withRetention({ path: BASE, backend: (path) => plain(path), rules, ...more });
/** What is between the base and the ids. */
async function classOf(backend: XComBackend, value: unknown = BIG, owner = OWNER, key = "k"): Promise<string> {
  const reference = String(await backend.storeValue(owner, key, value));
  return reference.slice(BASE.length + 1, reference.indexOf(owner.dagId)).replace(/\/$/, "");
}

describe("retain", () => {
  test("puts an object below its class, the first rule that applies, else below the base", async () => {
    const backend = layer([
      { class: "day", dag: "tmp_*" },
      { class: "week", key: "debug?" },
      { class: "month", type: ["array", "string"], minSize: 1000, maxSize: 2000 },
    ]);
    const tmp = { ...OWNER, dagId: "tmp_sales" };
    expect(await classOf(backend, BIG, tmp, "debug1")).toBe("retention=day");
    expect(await classOf(backend, BIG, OWNER, "debug1")).toBe("retention=week");
    expect(await classOf(backend, BIG, OWNER, "debug")).toBe("");
    expect(await classOf(backend, "x".repeat(1200))).toBe("retention=month");
    expect(await classOf(backend, ["x".repeat(1200)])).toBe("retention=month");
    expect(await classOf(backend, "x".repeat(500))).toBe("");
    expect(await classOf(backend, "x".repeat(2000))).toBe("");
    expect(await classOf(backend, { text: "x".repeat(1200) })).toBe("");
  });
  test("a pattern is matched as a whole and character by character", async () => {
    const backend = layer([{ class: "day", dag: "a.b*" }]);
    expect(await classOf(backend, BIG, { ...OWNER, dagId: "a.b" })).toBe("retention=day");
    expect(await classOf(backend, BIG, { ...OWNER, dagId: "axb" })).toBe("");
    expect(await classOf(backend, BIG, { ...OWNER, dagId: "my_a.b" })).toBe("");
  });
  test("every class is loaded and purged by its owner only, also one that no rule names any more", async () => {
    const reference = await layer([{ class: "day" }]).storeValue(OWNER, "k", BIG);
    for (const reader of [layer([{ class: "day" }]), layer([])]) {
      expect(await reader.loadValue(reference, { owner: OWNER })).toEqual(BIG);
      expect(reader.pathsOf(reference, { owner: OWNER }).map(String)).toEqual([reference]);
      const theirs = { owner: { ...OWNER, dagId: "other" } };
      await expect(reader.loadValue(reference, theirs)).rejects.toMatchObject({ code: "PermissionDenied" });
      await expect(reader.purge(reference, theirs)).rejects.toMatchObject({ code: "PermissionDenied" });
    }
    expect(await layer([]).purge(reference, { owner: OWNER })).toBe(true);
    await expect(layer([]).loadValue(reference)).rejects.toMatchObject({ code: "NotFound" });
  });
  test("a backend of the base alone, as stock Airflow's, reads every class", async () => {
    const reference = await layer([{ class: "day" }]).storeValue(OWNER, "k", BIG);
    expect(await plain(BASE).loadValue(reference)).toEqual(BIG);
  });
  test("what is stored without a class, before there were any, is read as before", async () => {
    const reference = await plain(BASE).storeValue(OWNER, "k", BIG);
    expect(await layer([{ class: "day" }]).loadValue(reference, { owner: OWNER })).toEqual(BIG);
    expect(await layer([{ class: "day" }]).loadValue(5)).toBe(5);
  });
  test("small values stay in their row, and a string that looks like a reference comes back as itself", async () => {
    const backend = layer([{ class: "day" }]);
    expect(await backend.storeValue(OWNER, "k", 5)).toBe(5);
    const other = await backend.storeValue(OWNER, "k", BIG);
    for (const text of [String(other), String(await plain(BASE).storeValue(OWNER, "k", BIG)), BASE]) {
      const stored = await backend.storeValue(OWNER, "text", text);
      expect(stored).not.toBe(text);
      expect(await backend.loadValue(stored, { owner: OWNER })).toBe(text);
    }
  });
  test("a size is counted once, and a value without JSON has none", async () => {
    const sized = layer([
      { class: "day", minSize: 1, maxSize: 1 },
      { class: "week", minSize: 1 },
    ]);
    await expect(classOf(sized, new WeakMap())).rejects.toMatchObject({ code: "InvalidArgument" });
    const kept = layer([{ class: "day", minSize: 4, type: "bytes" }]);
    expect(await classOf(kept, BIG)).toBe("");
  });
  test("goes around replicas: each copy is below the class of its own base", async () => {
    const copies = "gs://conn@c/copy";
    const backend = layer([{ class: "day" }], {
      backend: (path) => {
        const below = path.relativeTo(StoragePath.parse(BASE));
        return replicate({ targets: [plain(path), plain(StoragePath.parse(copies).join(below))] });
      },
    });
    const reference = String(await backend.storeValue(OWNER, "k", BIG));
    expect(backend.pathsOf(reference).map(String)).toEqual([reference, reference.replace(BASE, copies)]);
    await here.storage.delete(reference);
    expect(await backend.loadValue(reference)).toEqual(BIG);
  });

  test("all layers nest: rows, a route, classes, replicas, and the backend inside", async () => {
    const copied = (base: string) =>
      withRetention({
        path: base,
        backend: (path) => replicate({ targets: [plain(path), plain(`gs://conn@copy/${path.key}`)] }),
        rules: [{ class: "day", type: "object" }],
      });
    const backend = routeXComs({
      backends: { small: copied("s3://conn@small/xcom"), large: copied("s3://conn@large/xcom") },
      route: async (_, { size }) => (((await size()) ?? 0) < 1000 ? "small" : "large"),
    });
    const xcom = new XCom({ rows: memoryRows(), backend });
    const values = { row: 1, small: BIG, large: { text: "x".repeat(2000) }, list: ["x".repeat(2000)] };
    for (const [key, value] of Object.entries(values)) await xcom.set({ ...OWNER, key }, value);
    for (const [key, value] of Object.entries(values)) expect(await xcom.get({ ...OWNER, key })).toEqual(value);
    const dry = await xcom.clear(OWNER, { dryRun: true });
    const places = dry.deleted.flatMap(({ objects }) => objects.map((path) => path.replace(/my_dag.*/, "")));
    expect(places).toEqual([
      "s3://conn@small/xcom/retention=day/",
      "gs://conn@copy/xcom/retention=day/",
      "s3://conn@large/xcom/retention=day/",
      "gs://conn@copy/xcom/retention=day/",
      "s3://conn@large/xcom/",
      "gs://conn@copy/xcom/",
    ]);
    expect(await xcom.clear(OWNER)).toEqual(dry);
    expect(here.calls.filter((call) => call.startsWith("delete"))).toHaveLength(6);
  });

  const rules = (rule: object, ...more: object[]) => ({ rules: [rule, ...more] as RetentionRule[] });
  test.each<[string, object, string]>([
    ["a class with a slash", rules({ class: "a/b" }), "lower-case letters"],
    ["a rule after one for everything", rules({ class: "a" }, { class: "b", dag: "x" }), "move it to the end"],
    ["sizes that exclude each other", rules({ class: "a", minSize: 2, maxSize: 1 }), "exchange them"],
    ["an unknown type", rules({ class: "a", type: "list" }), "must be of null, boolean"],
    [
      "an unknown field",
      rules({ class: "a", dagId: "x" }),
      "unknown field dagId of rules[0] (expected one of class, dag",
    ],
    ["an empty pattern", rules({ class: "a", dag: "" }), 'a pattern such as "tmp_*"'],
    ["a path of a class", { path: `${BASE}/retention=day` }, "the base path above it"],
    ["a backend elsewhere", { backend: () => plain(BASE), rules: [{ class: "day" }] }, "use its argument"],
    ["itself inside", { backend: () => layer([]) as never }, "put other layers around withRetention()"],
  ])("%s is refused with how to fix it", (_, more, why) => {
    expect(() => layer([], more)).toThrow(why);
  });
  test("a Dag that has the name of a class's folder is refused before any request", async () => {
    const owner = { ...OWNER, dagId: "retention=day" };
    await expect(layer([]).storeValue(owner, "k", BIG)).rejects.toMatchObject({ code: "InvalidArgument" });
    expect(here.calls).toEqual([]);
  });
});

describe("a lifecycle policy", () => {
  const days = { day: 1, month: 30 };
  test("of S3 expires each class, its old versions too, and drops unfinished uploads", () => {
    expect(lifecyclePolicy({ path: BASE, days, abortUploadsAfter: 2 })).toEqual({
      Rules: [
        {
          ID: "stowage-day",
          Status: "Enabled",
          Filter: { Prefix: "xcom/retention=day/" },
          Expiration: { Days: 1 },
          NoncurrentVersionExpiration: { NoncurrentDays: 1 },
        },
        expect.objectContaining({ ID: "stowage-month", Expiration: { Days: 30 } }),
        {
          ID: "stowage-unfinished-uploads",
          Status: "Enabled",
          Filter: { Prefix: "xcom/" },
          AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 },
        },
      ],
    });
  });
  test("of GCS", () => {
    expect(lifecyclePolicy({ path: "gs://c@bucket", days: { day: 1 } })).toEqual({
      rule: [
        { action: { type: "Delete" }, condition: { age: 1, matchesPrefix: ["retention=day/"] } },
        { action: { type: "AbortIncompleteMultipartUpload" }, condition: { age: 7 } },
      ],
    });
  });
  test("of Azure names container and prefix", () => {
    const { rules } = lifecyclePolicy({ path: "wasb://c@box/xcom", days: { day: 1 } }) as { rules: object[] };
    expect(rules).toMatchObject([
      {
        enabled: true,
        name: "stowage-day",
        type: "Lifecycle",
        definition: {
          actions: { baseBlob: { delete: { daysAfterCreationGreaterThan: 1 } } },
          filters: { blobTypes: ["blockBlob"], prefixMatch: ["box/xcom/retention=day/"] },
        },
      },
    ]);
  });
  test("is too short for a run when a rule above, at or below the path is, and no other", () => {
    const rule = (Prefix: string, Days: number) => ({
      ID: Prefix,
      Status: "Enabled",
      Filter: { Prefix },
      Expiration: { Days },
    });
    const Rules = [
      rule("", 1),
      rule("data/xcom/", 2),
      rule("data/xcom/retention=day/", 1),
      rule("data/xcom2/", 1),
      rule("", 3),
    ];
    const found = tooShort({ Rules }, StoragePath.parse("s3://b/data/xcom"), 3 * 86_400);
    expect(found.map(({ prefix, days }) => [prefix, days])).toEqual([
      ["", 1],
      ["data/xcom/", 2],
      ["data/xcom/retention=day/", 1],
    ]);
  });
  test.each<[string, Partial<LifecycleOptions>, string]>([
    ["half a day", { days: { day: 0.5 } }, "whole days"],
    ["no class", { days: {} }, "name a class"],
    ["a class that is none", { days: { "a b": 1 } }, "lower-case letters"],
    ["uploads that are never dropped", { abortUploadsAfter: 0 }, "whole days"],
    ["a folder", { path: "file:///srv/xcom" }, "no rules by which objects expire"],
  ])("for %s is refused", (_, more, why) => {
    expect(() => lifecyclePolicy({ path: BASE, days, ...more })).toThrow(why);
  });
});

await describeOn("minio", "on MinIO", (minio) => {
  const bucket = useBucket(minio);
  test("the printed policy is taken by the AWS SDK, read back the same, and is what check reads", async () => {
    const at = `s3://it@${bucket().name}/xcom`;
    const printed = await stowage([
      "lifecycle",
      "print",
      at,
      "--class",
      "week=7",
      "--class",
      "month=30",
      "--abort-uploads",
      "3",
    ]);
    expect(printed).toMatchObject({ code: 0, stderr: "" });
    const LifecycleConfiguration = JSON.parse(printed.stdout);
    const client = await s3Client(minio);
    const Bucket = bucket().name;
    // MinIO drops unfinished uploads by a setting of its own and refuses rules about nothing else.
    const expiring = LifecycleConfiguration.Rules.filter((rule: object) => "Expiration" in rule);
    await client.send(
      new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules: expiring } }),
    );
    const { Rules } = await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
    client.destroy();
    const byId = (rules: { ID?: string | undefined }[] = []) => rules.toSorted((a, b) => (a.ID! < b.ID! ? -1 : 1));
    expect(byId(Rules)).toEqual(byId(expiring));
    const check = (longest: string) =>
      stowage(["lifecycle", "check", at, "--policy", "-", "--longest-run", longest], {
        input: JSON.stringify({ Rules }),
      });
    expect(await check("7d")).toMatchObject({ code: 0, stdout: expect.stringContaining("nothing expires within") });
    const { code, stdout } = await check("8d");
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout: expect.stringMatching(/^warning: stowage-week: .* after 7 days/),
    });
  });
  test("objects of a class are where the rule looks", async () => {
    await using storage = openStorage({ connections: { it: minio.connection }, env: {} });
    const path = `s3://it@${bucket().name}/xcom`;
    const backend = withRetention({
      path,
      backend: (at) => new XComObjectStorageBackend({ storage, path: at, threshold: 0 }),
      rules: [{ class: "week" }],
    });
    const reference = String(await backend.storeValue(OWNER, "k", BIG));
    const { Rules } = lifecyclePolicy({ path, days: { week: 7 } }) as { Rules: { Filter: { Prefix: string } }[] };
    expect(StoragePath.parse(reference).key.startsWith(Rules[0]!.Filter.Prefix)).toBe(true);
    expect(await backend.loadValue(reference, { owner: OWNER })).toEqual(BIG);
  });
});

describe("stowage lifecycle", () => {
  const check = async (at: string, policy: unknown, longest = "3d") => {
    const folder = await mkdtemp(join(tmpdir(), "stowage-lifecycle-"));
    await writeFile(join(folder, "policy.json"), typeof policy === "string" ? policy : JSON.stringify(policy));
    const ran = await stowage(
      ["lifecycle", "check", at, "--json", "--policy", "policy.json", "--longest-run", longest],
      {
        cwd: folder,
      },
    );
    await rm(folder, { recursive: true });
    return ran;
  };
  const s3 = (...Rules: object[]) => ({ Rules: Rules.map((rule, i) => ({ ID: `r${i}`, Status: "Enabled", ...rule })) });
  const gcs = (condition: object, type = "Delete") => ({ rule: [{ action: { type }, condition }] });
  const azure = (prefix: string, days: number) => ({
    policy: {
      rules: [
        {
          name: "r",
          definition: {
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: days } } },
            filters: { prefixMatch: [prefix] },
          },
        },
      ],
    },
  });

  test.each<[string, string, object]>([
    ["the whole bucket", "s3://b/xcom", s3({ Filter: {}, Expiration: { Days: 1 } })],
    ["a prefix above the base", "s3://b/data/xcom", s3({ Prefix: "data/", Expiration: { Days: 1 } })],
    ["a class", "s3://b/xcom", s3({ Filter: { And: { Prefix: "xcom/retention=day/" } }, Expiration: { Days: 2 } })],
    ["a fixed date", "s3://b/xcom", s3({ Expiration: { Date: "2030-01-01" } })],
    ["the whole bucket of GCS", "gs://b/xcom", { lifecycle: gcs({ age: 1 }) }],
    ["a class of GCS", "gs://b/xcom", gcs({ age: 1, matchesPrefix: ["other/", "xcom/retention=day/"] })],
    ["a class of Azure", "abfs://box/xcom", azure("box/xcom/retention=day/", 1)],
  ])("check warns of a rule about %s", async (_, at, policy) => {
    const { code, stdout } = await check(at, policy);
    expect(code).toBe(1);
    expect(jsonLines(stdout)).toMatchObject([{ warning: "too short", longestRun: 259_200 }]);
  });
  test.each<[string, string, object]>([
    ["elsewhere", "s3://b/xcom", s3({ Filter: { Prefix: "xcom2/" }, Expiration: { Days: 1 } })],
    ["that is off", "s3://b/xcom", s3({ Status: "Disabled", Expiration: { Days: 1 } })],
    ["that is long enough", "s3://b/xcom", s3({ Expiration: { Days: 3 } })],
    ["about delete markers", "s3://b/xcom", s3({ Expiration: { ExpiredObjectDeleteMarker: true } })],
    ["about old versions", "gs://b/xcom", gcs({ age: 1, isLive: false })],
    ["about storage classes", "gs://b/xcom", gcs({ age: 1 }, "SetStorageClass")],
    ["about another container", "abfs://box/xcom", azure("boxes/xcom", 1)],
  ])("check is content with a rule %s", async (_, at, policy) => {
    expect(await check(at, policy)).toMatchObject({ code: 0, stdout: expect.stringContaining('"ok":true') });
  });
  test("check looks at planned classes, too", async () => {
    const args = ["lifecycle", "check", "gs://b/xcom", "--class", "day=1", "--class", "week=7", "--longest-run", "36h"];
    const { code, stdout } = await stowage(args);
    expect({ code, lines: stdout.trim().split("\n").length }).toEqual({ code: 1, lines: 1 });
    expect(stdout).toContain("retention=day/ expire after 1 days");
  });
  test.each<[string, string[], string]>([
    ["another provider", ["print", "s3://b/x", "--class", "a=1", "--provider", "gcs"], "not the provider of"],
    ["a class without days", ["print", "s3://b/x", "--class", "a"], "such as week=7"],
    ["a class twice", ["print", "s3://b/x", "--class", "a=1", "--class", "a=2"], "given twice"],
    ["nothing to check", ["check", "s3://b/x", "--longest-run", "1d"], "--class, or a --policy"],
    ["no path", ["print", "--class", "a=1"], "name a path"],
  ])("%s is refused with 2", async (_, args, why) => {
    const { code, stderr } = await stowage(["lifecycle", ...args]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(why) });
  });
  test("a policy that is none, or another provider's, is refused", async () => {
    expect(await check("s3://b/x", "{")).toMatchObject({ code: 2, stderr: expect.stringContaining("is not JSON") });
    expect(await check("s3://b/x", gcs({}))).toMatchObject({ code: 2, stderr: expect.stringContaining("no list") });
  });
});
