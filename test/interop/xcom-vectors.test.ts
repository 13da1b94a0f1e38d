/** What real Airflow 3.3 and 3.4 stored, and what their backends answered. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../src/backend.js";
import { codecs } from "../../src/codecs/index.js";
import { airflowEncoding, objectForm } from "../../src/xcom/encoding/airflow.js";
import { parseJson } from "../../src/xcom/encoding/json-read.js";
import { measure } from "../../src/xcom/encoding/json-write.js";
import { newObjectKey, tiLayout } from "../../src/xcom/keys/layout.js";
import { canWrite, OWNER, UUID, world } from "../support/xcom-world.js";

interface Case {
  config: { path: string; threshold: number | string | null; compression: string | null };
  coordinates: { dag_id: string | null; run_id: string | null; task_id: string | null; key: string | null };
  valueRepr: string;
  encodedBase64?: string;
  encodedLength?: number;
  result: "object" | "inline" | "error";
  dbValueJsonText?: string;
  dbValue?: string;
  uuid?: string;
  objectBase64?: string;
  note?: string;
}

const vectors = (name: string) => JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), "utf8"));
const cases = vectors("xcom").cases as Case[];
const PREFIX = "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_";
const OURS: ReadonlySet<string | null> = new Set([null, "", ...codecs.names]);

/** Why the outcome is another than Python's, on purpose. */
function difference({ config, coordinates, valueRepr }: Case): string | undefined {
  const ids = [coordinates.dag_id, coordinates.run_id, coordinates.task_id];
  if (ids.some((id) => !id)) return "difference 4: an id that is missing is refused, there is no NO_DAG_ID";
  if (ids.some((id) => id!.split("/").some((part) => ["", ".", ".."].includes(part))))
    return "difference 4: an id with an empty, . or .. segment is refused";
  if (config.path.includes("/../")) return "the base path has no .. segment";
  if (/^memory:\/\/\/?$/.test(config.path)) return "a memory path has a bucket";
  if (valueRepr.includes("__id__") || valueRepr.includes("{'__classname__'"))
    return "a key that is Airflow's own is refused at every depth";
  return undefined;
}

function envOf({ config }: Case): Record<string, string> {
  const env: Record<string, string> = { [`${PREFIX}PATH`]: config.path };
  if (config.threshold !== null) env[`${PREFIX}THRESHOLD`] = String(config.threshold);
  if (config.compression !== null) env[`${PREFIX}COMPRESSION`] = config.compression;
  return env;
}

const ownerOf = ({ coordinates: { dag_id, run_id, task_id } }: Case) =>
  ({ dagId: dag_id, runId: run_id, taskId: task_id }) as { dagId: string; runId: string; taskId: string };

/** Python's value as our classes, from its row where it has one: the text of an object has lost inner tuples. */
const valueIn = (one: Case) =>
  parseJson(
    one.result === "inline" ? one.dbValueJsonText! : Buffer.from(one.encodedBase64!, "base64").toString(),
    airflowEncoding,
  );

const title = (one: Case) =>
  `${one.config.path} ${one.config.threshold} ${one.config.compression} ${JSON.stringify(ownerOf(one)).slice(0, 90)} ${one.valueRepr.slice(0, 40)}`;

const stored = cases.filter((one) => OURS.has(one.config.compression) && one.encodedBase64 && one.result !== "error");
const kept = stored.filter((one) => !difference(one));
const refused = stored.filter((one) => difference(one));
/** A numpy scalar is read as its number, so it is written as a number. */
const asPython = kept.filter((one) => one.note !== "numpy");
const beyondJson = (one: Case) => one.result === "inline" && /^-?\d{16,}$|^nan$/.test(one.valueRepr);

describe("xcom.json: values of the size that Python measures go where Python puts them", () => {
  const exact = asPython.filter((one) => !beyondJson(one));
  test.each(exact.map((one) => [title(one), one] as const))("%s", async (_, one) => {
    const { storage, calls } = world();
    const backend = XComObjectStorageBackend.fromEnv(envOf(one), { storage, layout: "uuid" });
    const value = valueIn(one);
    const storing = backend.storeValue(ownerOf(one), one.coordinates.key ?? "k", value);
    if (!canWrite(one.config.compression)) return expect(storing).rejects.toMatchObject({ code: "Unsupported" });
    const row = await storing;
    if (one.result === "inline") {
      expect(calls).toEqual([]);
      expect(row).toEqual(rowOf(one));
    } else {
      expect(String(row).replace(UUID, "<uuid4>")).toBe(one.dbValue!);
      expect(calls).toHaveLength(1);
    }
    expect(await backend.loadValue(row, { owner: ownerOf(one) })).toEqual(value);
  });
});

const rowOf = (one: Case) => {
  const text = one.dbValueJsonText!;
  // A row cannot tell 90.0 from 90, which Airflow 3.3 does not read as a timedelta.
  return JSON.parse(text.replace(/("datetime.timedelta".*"__data__": )(90\.0)/, '$1"$2"'));
};

describe("xcom.json: a number that a row of JavaScript would change is refused with the threshold -1", () => {
  test.each(kept.filter(beyondJson).map((one) => [one.valueRepr, one] as const))("X11 %s", async (_, one) => {
    const { storage } = world();
    const backend = XComObjectStorageBackend.fromEnv(envOf(one), { storage });
    const store = backend.storeValue(ownerOf(one), "k", valueIn(one));
    await expect(store).rejects.toMatchObject({ code: "InvalidArgument" });
  });
});

describe("xcom.json: what is refused although Python takes it", () => {
  test.each(refused.map((one) => [`${difference(one)}: ${title(one)}`, one] as const))("%s", async (_, one) => {
    const { storage, calls } = world();
    const attempt = async () => {
      const backend = XComObjectStorageBackend.fromEnv(envOf(one), { storage, layout: "uuid" });
      const plain = JSON.parse(Buffer.from(one.encodedBase64!, "base64").toString());
      return backend.storeValue(ownerOf(one), "k", plain);
    };
    await expect(attempt()).rejects.toMatchObject({ code: "InvalidArgument" });
    expect(calls).toEqual([]);
  });
});

describe("xcom.json: settings that Airflow refuses are refused when the backend is made", () => {
  const bad = cases.filter((one) => one.result === "error" && one.note !== "coordinates" && one.encodedBase64);
  const wrong = bad.filter((one) => !one.valueRepr.includes("__classname__") && !one.config.path.startsWith("azblob"));
  test.each(wrong.map((one) => [title(one), one] as const))("%s", (_, one) => {
    const make = async () => {
      const backend = XComObjectStorageBackend.fromEnv(envOf(one), { env: {} } as never);
      return backend.storeValue(ownerOf(one), "k", valueIn(one));
    };
    return expect(make()).rejects.toMatchObject({ code: expect.stringMatching(/InvalidArgument|Unsupported/) });
  });
});

describe("xcom.json: objects that Python wrote are read", () => {
  const objects = kept.filter((one) => one.objectBase64 && one.result === "object");
  test.each(objects.map((one) => [title(one), one] as const))("X09 %s", async (_, one) => {
    const { storage } = world();
    const backend = XComObjectStorageBackend.fromEnv(envOf(one), { storage });
    const reference = one.dbValue!.replace("<uuid4>", one.uuid!);
    await storage.write(reference, Buffer.from(one.objectBase64!, "base64"));
    expect(await backend.loadValue(reference, { owner: ownerOf(one) })).toEqual(valueIn(one));
  });
});

describe("xcom.json: the length is that of Python's text", () => {
  // A whole float is a number like any other in JavaScript, so `1.0` counts as `1`; a numpy scalar is its number.
  const wholeFloat = /(^|[[ (])-?\d+\.0([\],)}]|$)|e\+/;
  const exact = asPython.filter((one) => !wholeFloat.test(one.valueRepr));
  test.each(exact.map((one) => [title(one), one] as const))("X01 %s", async (_, one) => {
    const value = valueIn(one);
    const { length } = await measure(value, objectForm(value), airflowEncoding);
    expect(length).toBe(one.encodedLength);
  });
});

interface Build {
  prefix: string;
  suffix: string;
  maxLength: number;
  coordinate: [string, string, string, string | null];
  key: string;
  path?: string;
}

describe("xcom34.json: build_path", () => {
  const builds = vectors("xcom34").buildPath as Build[];
  const hollow = (ids: readonly string[]) => ids.slice(0, 3).some((id) => ["", ".", ".."].includes(id));
  // The function here always ends the name in .json; with the suffix "" Python's is only the part before it.
  test.each(builds.map((one, i) => [i, one] as const))("X10 case %i", (_, one) => {
    const { coordinate, key, prefix, suffix, maxLength, path } = one;
    const [dagId, runId, taskId, tiId] = coordinate;
    const jsonless = suffix.startsWith(".json") ? 0 : ".json".length;
    const limit = maxLength - Buffer.byteLength(prefix) + jsonless;
    const ending = { suffix: ".json", codec: suffix.replace(".json", "") };
    const build = () => newObjectKey(tiLayout, { dagId, runId, taskId, tiId: tiId ?? undefined }, key, ending, limit);
    if (path === undefined || hollow(coordinate as readonly string[]))
      return void expect(build).toThrow(/InvalidArgument/);
    const built = prefix + build().slice(0, jsonless ? -jsonless : undefined);
    const wanted = tiId === null ? built.replace(UUID, "<uuid4>") : built;
    expect(wanted.replace(/\/$/, "")).toBe(path);
  });
});

describe("xcom34.json: store_value", () => {
  const all = vectors("xcom34").storeValue as {
    config: Case["config"];
    key: string;
    tiId: string | null;
    dbValue: string;
    objectBase64: string | null;
    sameOnRewrite: boolean;
  }[];
  const ours = all.filter((one) => one.dbValue && OURS.has(one.config.compression) && canWrite(one.config.compression));
  test.each(ours.map((one) => [`${one.dbValue} ${one.tiId}`, one] as const))("%s", async (_, one) => {
    const { storage } = world();
    const backend = XComObjectStorageBackend.fromEnv(envOf(one as never), { storage });
    const owner = { ...OWNER, runId: "manual__2026-01-02T03:04:05+00:00", taskId: "t", tiId: one.tiId ?? undefined };
    const row = String(await backend.storeValue(owner, one.key, { a: 1 }));
    expect(one.tiId ? row : row.replace(UUID, "<uuid4>")).toBe(one.dbValue);
    expect((await backend.storeValue(owner, one.key, { a: 2 })) === row).toBe(one.sameOnRewrite);
    if (one.objectBase64) await storage.write(row, Buffer.from(one.objectBase64, "base64"));
    else await backend.storeValue(owner, one.key, { a: 1 });
    if (one.objectBase64) expect(await backend.loadValue(row, { owner })).toEqual({ a: 1 });
  });
});

describe("remote.json: what Airflow wrote on S3, Google and Azure", () => {
  const remote = vectors("remote").cases as (Case & { value: unknown; objectBase64: string; uuid: string })[];
  const ours = remote.filter((one) => OURS.has(one.config.compression));
  // The file system of Azure that Airflow uses drops a ? before a #, in the reference as well.
  const dropped = (one: Case) => one.config.path.startsWith("abfs") && one.coordinates.run_id!.includes("?#");

  test.each(ours.map((one) => [`${one.config.path} ${one.dbValue}`, one] as const))("%s", async (_, one) => {
    const { storage, calls } = world();
    const backend = XComObjectStorageBackend.fromEnv(envOf(one), { storage, layout: "uuid" });
    const reference = one.dbValue!.replace("<uuid4>", one.uuid);
    await storage.write(reference, Buffer.from(one.objectBase64, "base64"));
    const asked = dropped(one) ? {} : { owner: ownerOf(one) };
    expect(await backend.loadValue(reference, asked)).toEqual(one.value);
    expect(await backend.purge(reference, asked)).toBe(true);
    if (!canWrite(one.config.compression)) return;
    calls.length = 0;
    const row = await backend.storeValue(ownerOf(one), "return_value", one.value);
    expect(calls).toHaveLength(1);
    if (!dropped(one)) expect(String(row).replace(UUID, "<uuid4>")).toBe(one.dbValue);
  });
});
