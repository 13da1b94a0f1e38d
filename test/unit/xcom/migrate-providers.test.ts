/** `migrate` from one provider to another and back, and with Airflow's REST API as the store of rows. */
import { afterEach, describe, expect, test } from "vitest";
import { openStorage } from "../../../src/index.js";
import {
  fsck,
  memoryRows,
  migrate,
  restRows,
  rowReferences,
  rowRewriter,
  sweep,
  withMoved,
  XComObjectStorageBackend,
  type XComRows,
} from "../../../src/xcom.js";
import { startAirflowApi } from "../../hostile/airflow-api.js";
import { describeOn, type ServerName, useBucket } from "../../servers/use.js";
import { commandInProcess } from "../../support/in-process.js";

const task = (taskId: string) => ({ dagId: "dag é", runId: "scheduled__2026-01-01T00:00:00+00:00", taskId });
const VALUES: Record<string, unknown> = { small: 1, text: "é".repeat(5000), large: "x".repeat(9 * 2 ** 20) };

const PAIRS: readonly [ServerName, string, ServerName, string][] = [
  ["minio", "s3", "azurite", "abfs"],
  ["azurite", "abfs", "minio", "s3"],
  ["minio", "s3", "fake-gcs", "gs"],
  ["fake-gcs", "gs", "minio", "s3"],
];
for (const [source, sourceScheme, target, targetScheme] of PAIRS)
  await describeOn(source, `${source} to ${target}`, async (left) => {
    await describeOn(target, target, (right) => {
      const [old, next] = [useBucket(left), useBucket(right)];

      test.each([undefined, "gzip" as const])(
        "bytes, rows and readers, compression %s",
        { timeout: 60_000 },
        async (compression) => {
          await using storage = openStorage({ connections: { a: left.connection, b: right.connection } });
          const from = `${sourceScheme}://a@${old().name}/xcom-${compression}`;
          const to = `${targetScheme}://b@${next().name}/xcom-${compression}`;
          const backendAt = (path: string) =>
            new XComObjectStorageBackend({ storage, path, threshold: 0, compression: "zstd", digest: true });
          const rows: XComRows = memoryRows();
          for (const [name, value] of Object.entries(VALUES)) {
            const reference = await backendAt(from).storeValue(task(name), "return_value", value);
            await rows.set({ ...task(name), key: "return_value" }, reference);
          }
          const report = await migrate({ storage, from, to, compression, sources: [rowRewriter(rows)] });
          expect(report).toMatchObject({ references: 3, copied: 3, rewritten: 3, failed: 0, missing: 0 });
          const reader = withMoved({ backend: backendAt(to), from: backendAt(from) });
          for (const [name, value] of Object.entries(VALUES)) {
            const row = await rows.get({ ...task(name), key: "return_value" });
            expect(String(row?.value).startsWith(to)).toBe(true);
            expect(await reader.loadValue(row?.value, { owner: task(name) })).toEqual(value);
          }
          const sources = [rowReferences(rows)];
          const all3 = { checked: 3, missing: 0, damaged: 0 };
          expect(await fsck({ storage, sources, path: to, deep: true })).toMatchObject(all3);
          const again = await migrate({ storage, from, to, compression, sources: [rowRewriter(rows)] });
          expect(again).toMatchObject({ references: 0, elsewhere: 3, copied: 0 });
          const swept = await sweep({
            storage,
            path: from,
            sources,
            delete: true,
            graceMs: 0,
            force: true,
            maxShare: 1,
          });
          expect(swept).toMatchObject({ orphaned: 3, deleted: 3, failed: 0, changed: 0 });
        },
      );
    });
  });

describe("Airflow's REST API", () => {
  let close: () => Promise<void> = async () => {};
  afterEach(() => close());

  async function filled() {
    const api = await startAirflowApi();
    close = () => api.close();
    const storage = openStorage({ env: {} });
    const [from, to] = ["memory://old/xcom", "memory://new/xcom"];
    const backend = new XComObjectStorageBackend({ storage, path: from, threshold: 0 });
    const references: string[] = [];
    for (const name of ["a", "b", "c"]) {
      const { dagId, runId, taskId } = task(name);
      const reference = String(await backend.storeValue(task(name), "return_value", name));
      references.push(reference);
      const at = { dag_id: dagId, run_id: runId, task_id: taskId, map_index: -1, key: "return_value" };
      api.rows.push({ ...at, value: reference, timestamp: "2026-01-01T00:00:00Z" });
    }
    const rows = await restRows({ endpoint: api.endpoint, token: "token" });
    return { api, storage, from, to, references, sources: [rowRewriter(rows, "Airflow's REST API")] };
  }
  const moved = (references: readonly string[]) => references.map((text) => text.replace("old", "new"));

  test("rows are changed, and a second run finds none", async () => {
    const { api, storage, from, to, references, sources } = await filled();
    expect(await migrate({ storage, from, to, sources })).toMatchObject({ copied: 3, rewritten: 3, changed: 0 });
    expect(api.rows.map(({ value }) => value)).toEqual(moved(references));
    expect(await migrate({ storage, from, to, sources })).toMatchObject({ references: 0, elsewhere: 3 });
    await storage.close();
  });

  test("a row that is written after the listing stays as it is", async () => {
    const { api, storage, from, to, references, sources } = await filled();
    const report = await migrate({
      ...{ storage, from, to, sources },
      onMigrated: ({ from: text }) => {
        if (text === references[1]) Object.assign(api.rows[1]!, { timestamp: "2026-01-02T00:00:00Z" });
      },
    });
    expect(report).toMatchObject({ rewritten: 2, changed: 1 });
    expect(api.rows.map(({ value }) => value)).toEqual([moved(references)[0], references[1], moved(references)[2]]);
    await storage.close();
  });

  test("an API that fails in the middle ends it; what was done is done, and the next run goes on", async () => {
    const { api, storage, from, to, references, sources } = await filled();
    let writes = 0;
    api.override = ({ method }) => {
      if (method !== "PATCH") return undefined;
      writes += 1;
      return writes === 2 ? { status: 403, body: { detail: "no" } } : undefined;
    };
    await expect(migrate({ storage, from, to, sources })).rejects.toMatchObject({ code: "PermissionDenied" });
    const half = api.rows.filter(({ value }) => moved(references).includes(String(value)));
    expect(half).toHaveLength(1);
    expect(await migrate({ storage, from, to, sources })).toMatchObject({ references: 2, present: 2, rewritten: 2 });
    expect(api.rows.map(({ value }) => value)).toEqual(moved(references));
    await storage.close();
  });

  test("the command takes its address and token", async () => {
    const { api, storage, from, to } = await filled();
    await storage.close();
    const env = { AIRFLOW_API_TOKEN: "token" };
    // Its objects are in another process's memory: they count as missing, and the rows stay.
    const { code, stdout } = await commandInProcess(["migrate", from, to, "--rest", api.endpoint, "--json"], { env });
    expect(JSON.parse(stdout.trim().split("\n").at(-1)!)).toMatchObject({ references: 3, missing: 3, rewritten: 0 });
    expect(code).toBe(0);
    expect(api.calls.filter(({ method }) => method === "PATCH")).toEqual([]);
    // The API has no row of an earlier attempt.
    const said = await commandInProcess(["migrate", from, to, "--rest", api.endpoint], { env });
    expect(said.stdout).toContain(`No other row of a current attempt names ${from} any more.`);
  });
});
