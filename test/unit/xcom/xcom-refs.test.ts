/** Which strings are references: Python's answer, and the strict layouts. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import { StoragePath } from "../../../src/path.js";
import { airflowEncoding } from "../../../src/xcom/encoding/airflow.js";
import { parseJson } from "../../../src/xcom/encoding/json-read.js";
import { looksLikeAirflowReference } from "../../../src/xcom/reference.js";
import { world } from "../../support/xcom-world.js";

interface Decision {
  base: string;
  dbValue: unknown;
  reference: boolean | "raises";
  resolved?: string;
}
interface Read {
  name: string;
  note: string;
  objectBase64: string | null;
  returnsReferenceString?: boolean;
  error?: string;
  decodedRepr?: string;
}
const vectors = JSON.parse(readFileSync(new URL("../../vectors/refs.json", import.meta.url), "utf8"));
const decisions = vectors.decisions as Decision[];

const LEAF = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const LAYOUT = new RegExp(
  `^(?!.*(?:^|/)(?:|\\.|\\.\\.)(?:/|$))[^/]+(?:/[^/]+){2,}/${LEAF}(?:\\.(?:zip|bz2|gz|lzma|xz|lz4|zst))?$`,
);
/** Not a base of ours: no scheme, or the form of Azure that Hadoop has. */
const refusedBase = (base: string) => base.startsWith("/") || base.startsWith("abfss://container@account");

/** Python's answer and the layout, told by the text alone. */
function expected({ base, dbValue, reference, resolved }: Decision): boolean {
  if (reference !== true || resolved !== dbValue || typeof dbValue !== "string") return false;
  const printed = String(StoragePath.parse(base)).replace(/\/$/, "");
  return LAYOUT.test(dbValue.slice(printed.length + 1));
}

const short = (value: unknown) => JSON.stringify(value).slice(0, 80);

describe("refs.json: a row is a reference where Python says so and the layout is strict, else a value without a request", () => {
  const ours = decisions.filter((one) => !refusedBase(one.base));
  test.each(ours.map((one) => [`${one.base} ${short(one.dbValue)}`, one] as const))("X04 %s", async (_, one) => {
    const { storage, calls } = world();
    const backend = new XComObjectStorageBackend({ storage, path: one.base });
    if (expected(one)) {
      await expect(backend.loadValue(one.dbValue)).rejects.toMatchObject({ code: "NotFound" });
      expect(calls).toHaveLength(1);
    } else {
      expect(await backend.loadValue(one.dbValue)).toBe(one.dbValue);
      expect(await backend.purge(one.dbValue)).toBe(false);
      expect(calls).toEqual([]);
    }
  });

  test("the vectors have both kinds", () => {
    expect(ours.filter(expected).length).toBeGreaterThan(8);
  });

  test.each(["/tmp/x", "abfss://container@account.dfs.core.windows.net/xcom", "", "s3://b/../x"])(
    "the base %j is refused with a fix",
    (path) => {
      const { storage } = world();
      expect(() => new XComObjectStorageBackend({ storage, path })).toThrow(/InvalidArgument \(.*/);
    },
  );
});

describe("difference 3: a string that Python's loose rule takes for a reference is stored below the threshold", () => {
  const loose = decisions.filter((one) => one.reference === true && !refusedBase(one.base));
  test.each(loose.map((one) => [`${one.base} ${short(one.dbValue)}`, one] as const))("%s", async (_, one) => {
    expect(looksLikeAirflowReference(one.dbValue as string, StoragePath.parse(one.base))).toBe(true);
  });

  test("most strings that Python takes for values are not stored", () => {
    const values = decisions.filter((one) => one.reference === false && typeof one.dbValue === "string");
    const taken = values
      .filter((one) => !refusedBase(one.base))
      .filter((one) => looksLikeAirflowReference(one.dbValue as string, StoragePath.parse(one.base)));
    // Python does not take these, for a reason that has nothing to do with the base; storing them is harmless.
    for (const { dbValue } of taken) expect(dbValue).toMatch(/^[a-z0-9]+:\/(?!\/)|::|^file:\/\/tmp/);
  });

  test("X02 such a string comes back as itself, and with the threshold -1 it is never stored", async () => {
    const { storage, calls } = world();
    const owner = { dagId: "d", runId: "r", taskId: "t" };
    const text = "s3://bucket/xcom/notes and more";
    const backend = new XComObjectStorageBackend({ storage, path: "s3://bucket/xcom", threshold: 1000 });
    const row = await backend.storeValue(owner, "k", text);
    expect(row).not.toBe(text);
    expect(await backend.loadValue(row)).toBe(text);
    const before = calls.length;
    const never = new XComObjectStorageBackend({ storage, path: "s3://bucket/xcom" });
    expect(await never.storeValue(owner, "k", text)).toBe(text);
    expect(await never.loadValue(text)).toBe(text);
    expect(calls.length).toBe(before);
  });
});

const SUFFIX_READY = /\.(zip|gz)$/i;
const BASE = "file:///srv/airflow/refs/base";
const ID = "0b5e1b1e-0000-4000-8000-000000000001";

/** The name in one of the layouts, with the same suffix. */
function inLayout(name: string): string | undefined {
  const suffix = /^[^.]*(\.(?:zip|gz|bz2|xz|lzma|zst|lz4))$/.exec(name)?.[1];
  if (suffix === undefined && name.includes(".")) return undefined;
  return `${BASE}/d/r/t/${ID}${suffix ?? ""}`;
}

describe("refs.json: objects as Python reads them", () => {
  const reads = (vectors.reads as Read[]).filter(
    ({ name }) => inLayout(name) && (!name.includes(".") || SUFFIX_READY.test(name)),
  );
  test.each(reads.map((one) => [one.name, one] as const))("X05 X06 %s", async (_, one) => {
    const { storage } = world();
    const reference = inLayout(one.name)!;
    if (one.objectBase64 !== null) await storage.write(reference, Buffer.from(one.objectBase64, "base64"));
    const strict = new XComObjectStorageBackend({ storage, path: BASE });
    const lenient = new XComObjectStorageBackend({ storage, path: BASE, onMissing: "reference" });
    if (one.returnsReferenceString) {
      await expect(strict.loadValue(reference)).rejects.toMatchObject({
        code: one.objectBase64 === null ? "NotFound" : "Corrupt",
      });
      expect(await lenient.loadValue(reference)).toBe(reference);
    } else if (one.name === "zb.zip") {
      // A member that is neither stored nor deflated.
      await expect(strict.loadValue(reference)).rejects.toMatchObject({
        code: expect.stringMatching(/Unsupported/),
      });
    } else if (one.name === "cls") {
      // Python refuses the class; here it is data.
      expect(await strict.loadValue(reference)).toMatchObject({ classname: "os.system", version: 1, data: "x" });
    } else if (one.error) {
      await expect(lenient.loadValue(reference)).rejects.toMatchObject({ code: "Corrupt" });
    } else {
      const value = await strict.loadValue(reference);
      const text = Buffer.from(one.objectBase64!, "base64").toString();
      expect(value).toEqual(one.name === "deep" ? JSON.parse(text) : parseRepr(one.decodedRepr!));
    }
  });
});

function parseRepr(repr: string): unknown {
  const json = repr.replaceAll("'", '"').replace("nan", "NaN").replace("(1,)", '{"__type":"tuple","__var":[1]}');
  return parseJson(json, airflowEncoding);
}

describe("refs.json: purge", () => {
  const purges = vectors.purges as { name: string; valueIsOwnRef: boolean; value: unknown; existsAfter: boolean }[];
  test.each(purges.map((one) => [one.name, one] as const))("X07 %s", async (name, one) => {
    const { storage, calls } = world();
    const reference = `${BASE}/d/r/t/${ID}`;
    await storage.write(reference, "{}");
    const backend = new XComObjectStorageBackend({ storage, path: BASE });
    calls.length = 0;
    const value = one.valueIsOwnRef ? reference : one.value;
    if (name === "p7") {
      // Another connection, but no layout: a value.
      expect(await backend.purge(value)).toBe(false);
    } else {
      expect(await backend.purge(value)).toBe(one.valueIsOwnRef);
    }
    expect(calls.length).toBe(one.valueIsOwnRef ? 1 : 0);
    expect(await storage.exists(reference)).toBe(!one.valueIsOwnRef);
    if (one.valueIsOwnRef) await backend.purge(value);
  });
});
