/** LangGraph's own suite for checkpointers, and graphs, with large values as objects: in memory, and in Postgres. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Annotation, Command, interrupt, MemorySaver, START, StateGraph } from "@langchain/langgraph";
import { JsonPlusSerializer } from "@langchain/langgraph-checkpoint";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { validate } from "@langchain/langgraph-checkpoint-validation";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { claimsLayout } from "../../../src/claims.js";
import { isStorageError, openStorage } from "../../../src/index.js";
import { langgraphReferences, offload, offloadSerde } from "../../../src/runtimes/langgraph.js";
import { fsck, sweep } from "../../../src/xcom.js";
import { describeOn, useBucket } from "../../servers/use.js";
import { jsonLines } from "../../support/command.js";
import { commandInProcess } from "../../support/in-process.js";
import { openPool, type Postgres, startPostgres } from "../../support/postgres.js";
import { recordingProxy, through } from "../../support/proxy.js";

const storage = openStorage({ env: {} });
const folder = mkdtempSync(join(tmpdir(), "stowage-langgraph-"));
let postgres: Postgres;
let pool: pg.Pool;

beforeAll(async () => {
  postgres = await startPostgres();
  pool = openPool(postgres.url);
  // Connections that are closing when the server stops.
  pool.on("connect", (client) => client.on("error", () => {}));
  pool.on("error", () => {});
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
  await storage.close();
  rmSync(folder, { recursive: true, force: true });
});

const place = () => `memory://langgraph/${randomUUID()}`;

// By these names the suite knows what each checkpointer does not do.
describe.each([0, 40, 1000])("offloaded from %i bytes on", (threshold) => {
  validate({
    checkpointerName: "MemorySaver",
    createCheckpointer: () => offload(new MemorySaver(), { storage, path: place(), threshold }),
  });
  validate({
    checkpointerName: "@langchain/langgraph-checkpoint-postgres",
    createCheckpointer: async () => offload((await postgresSaver()).saver, { storage, path: place(), threshold }),
  });
});

const State = Annotation.Root({
  document: Annotation<string>,
  steps: Annotation<string[]>({ reducer: (all, more) => [...all, ...more], default: () => [] }),
});
const LARGE = "a large document ".repeat(20_000);

/** Three steps, the second of which waits for a person. */
function graph() {
  return new StateGraph(State)
    .addNode("load", () => ({ document: LARGE, steps: ["load"] }))
    .addNode("ask", () => ({ steps: [`asked: ${interrupt("continue?")}`] }))
    .addNode("end", ({ document }) => ({ steps: [`end of ${document.length}`] }))
    .addEdge(START, "load")
    .addEdge("load", "ask")
    .addEdge("ask", "end");
}

async function objectsBelow(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of storage.list(path, { recursive: true })) found.push(String(entry.path));
  return found;
}

async function postgresSaver(): Promise<{ saver: PostgresSaver; schema: string }> {
  const schema = `s${randomUUID().replaceAll("-", "")}`;
  const saver = new PostgresSaver(pool, undefined, { schema });
  await saver.setup();
  return { saver, schema };
}

describe("a graph with an interrupt, a fork and time travel", () => {
  const savers = {
    memory: async () => new MemorySaver(),
    postgres: async () => (await postgresSaver()).saver,
  };
  test.each(Object.keys(savers) as (keyof typeof savers)[])("%s is as without offloading", async (name) => {
    const path = place();
    const checkpointer = offload(await savers[name](), { storage, path });
    const plain = await journey(await savers[name]());
    expect(await journey(checkpointer)).toEqual(plain);
    expect(plain.waiting).toBe(LARGE);
    expect(new Set(plain.history)).toEqual(new Set([0, LARGE.length, LARGE.length + 1]));
    const objects = await objectsBelow(path);
    expect(objects.length).toBeGreaterThan(0);
    for (const object of objects) expect(object).toContain(`${path}/t/thread%20%2F%201/d/sha256/`);
    await checkpointer.deleteThread("thread / 1");
    expect(await objectsBelow(path)).toEqual([]);
  });
});

/** Interrupts, resumes, forks from the past, and looks at all states. */
async function journey(checkpointer: MemorySaver | PostgresSaver) {
  const app = graph().compile({ checkpointer });
  const config = { configurable: { thread_id: "thread / 1" } };
  await app.invoke({ document: "" }, config);
  const waiting = await app.getState(config);
  const done = await app.invoke(new Command({ resume: "yes" }), config);
  const forked = await app.updateState(waiting.config, { document: `${LARGE}!`, steps: ["forked"] });
  const again = await app.invoke(new Command({ resume: "again" }), forked);
  const history: number[] = [];
  for await (const { values } of app.getStateHistory(config)) history.push((values.document ?? "").length);
  return { waiting: waiting.values.document, next: waiting.next, done: done.steps, again: again.steps, history };
}

await describeOn("minio", "in Postgres and MinIO", (minio) => {
  const bucket = useBucket(minio);
  test("rows hold references of a few hundred bytes, and reading writes nothing", async () => {
    const { saver, schema } = await postgresSaver();
    const proxy = await recordingProxy(minio.endpoint);
    const lake = openStorage({ connections: { lake: through(minio, proxy).connection }, env: {} });
    const path = `s3://lake@${bucket().name}/langgraph`;
    const app = graph().compile({ checkpointer: offload(saver, { storage: lake, path, cache: 0 }) });
    const config = { configurable: { thread_id: "1" } };
    await app.invoke({ document: "" }, config);
    const { rows } = await pool.query(
      `select max(length(blob)) as longest from (select blob from ${schema}.checkpoint_blobs
       union all select blob from ${schema}.checkpoint_writes) as all_blobs`,
    );
    expect(Number(rows[0].longest)).toBeLessThan(1000);
    proxy.clear();
    expect((await app.getState(config)).values.document).toBe(LARGE);
    for await (const { values } of app.getStateHistory(config)) expect(values).toBeDefined();
    expect(Object.keys(proxy.operations())).toEqual(["read"]);
    await lake.close();
    await proxy.close();
  });
});

await describeOn("minio", "another document in each step", (minio) => {
  const bucket = useBucket(minio);
  test.each([
    ["one request for each document with remember", "10s"],
    ["sent again and looked at without", undefined],
  ])("is %s, and nothing is read", async (_title, remember) => {
    const { saver } = await postgresSaver();
    // MinIO closes the connection of a refused body that it has not read, and the proxy the client's.
    const document = LARGE.slice(0, 20_000);
    const proxy = await recordingProxy(minio.endpoint);
    const lake = openStorage({ connections: { lake: through(minio, proxy).connection }, env: {} });
    const path = `s3://lake@${bucket().name}/documents`;
    const app = new StateGraph(Annotation.Root({ document: Annotation<string>, step: Annotation<number> }))
      .addNode("work", ({ step }) => ({ step: step + 1, document: `${document}${step}` }))
      .addEdge(START, "work")
      .addConditionalEdges("work", ({ step }) => (step < 10 ? "work" : "__end__"))
      .compile({ checkpointer: offload(saver, { storage: lake, path, threshold: 10_000, remember }) });
    await app.invoke({ document, step: 0 }, { configurable: { thread_id: "1" }, recursionLimit: 20 });
    const operations = proxy.operations();
    let objects = 0;
    for await (const _ of lake.list(path, { recursive: true })) objects += 1;
    expect(objects).toBeGreaterThan(10);
    if (remember) expect(operations).toEqual({ write: objects });
    else expect(operations).toEqual({ write: expect.any(Number), stat: expect.any(Number) });
    await lake.close();
    await proxy.close();
  });
});

test("the references of PostgresSaver keep their objects from a sweep; what deleted threads leave goes", async () => {
  const { saver, schema } = await postgresSaver();
  const path = `file://${folder}/${schema}`;
  const app = graph().compile({ checkpointer: offload(saver, { storage, path, scope: "shared", cache: 0 }) });
  const run = (id: string, more: string) =>
    app.invoke({ document: `${LARGE}${more}` }, { configurable: { thread_id: id } });
  await run("1", "");
  await run("2", " of another thread");
  const sources = [langgraphReferences((text, values) => pool.query(text, values), { schema })];
  const inAWeek = { storage, path, sources, layout: claimsLayout({ refreshAfter: "12h" }) };
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 7 * 86_400_000 });
  try {
    const all = (await objectsBelow(path)).length;
    expect(await sweep(inAWeek)).toMatchObject({ considered: all, referenced: all, orphaned: 0, unknown: 0 });
    const report = await fsck({ ...inAWeek, deep: true });
    expect(report).toMatchObject({ missing: 0, damaged: 0, size: 0, foreign: 0, layout: 0, orphan: 0 });
    // With the scope "shared" it deletes rows alone.
    await saver.deleteThread("2");
    const command = (...args: string[]) => commandInProcess(args, { env: { DATABASE_URL: postgres.url } });
    expect((await command("fsck", path, "--langgraph")).stderr).toMatch(/the schema public has no table/);
    const ours = ["--json", "--langgraph", "--schema", schema, path];
    const checked = await command("fsck", "--deep", ...ours);
    expect([checked.code, jsonLines(checked.stdout).at(-1)?.checked]).toEqual([1, expect.any(Number)]);
    const swept = await command("sweep", "--delete", "--refresh-after", "12h", ...ours);
    const deleted = Number(jsonLines(swept.stdout).at(-1)?.deleted);
    expect([swept.code, deleted > 0]).toEqual([0, true]);
    expect(await objectsBelow(path)).toHaveLength(all - deleted);
  } finally {
    vi.useRealTimers();
  }
  expect((await app.getState({ configurable: { thread_id: "1" } })).values.document).toBe(LARGE);
});

test("a value that is gone, or damaged, is a StorageError of its own code, never the reference", async () => {
  const path = place();
  const app = graph().compile({ checkpointer: offload(new MemorySaver(), { storage, path, cache: 0 }) });
  const config = { configurable: { thread_id: "1" } };
  await app.invoke({ document: "" }, config);
  const objects = await objectsBelow(path);
  const codes: string[] = [];
  for (const damage of [
    (object: string) => storage.write(object, "damaged"),
    (object: string) => storage.delete(object),
  ]) {
    for (const object of objects) await damage(object);
    const error = await app.getState(config).catch((reason: unknown) => reason);
    codes.push(isStorageError(error) ? error.code : String(error));
  }
  expect(codes).toEqual(["Corrupt", "NotFound"]);
});

test("rows from before are read; a serializer alone works too", async () => {
  const saver = new MemorySaver();
  const config = { configurable: { thread_id: "1" } };
  await graph().compile({ checkpointer: saver }).invoke({ document: "" }, config);
  const app = graph().compile({ checkpointer: offload(saver, { storage, path: place() }) });
  expect((await app.getState(config)).values.document).toBe(LARGE);
  const path = place();
  const alone = new MemorySaver(offloadSerde({ storage, path, inner: new JsonPlusSerializer() }));
  await graph().compile({ checkpointer: alone }).invoke({ document: "" }, config);
  expect((await objectsBelow(path)).length).toBeGreaterThan(0);
  expect((await graph().compile({ checkpointer: alone }).getState(config)).values.document).toBe(LARGE);
});

test("what cannot be offloaded is refused when it is made", () => {
  class RedisSaver extends MemorySaver {}
  expect(() => offload(new RedisSaver(), { storage, path: place() })).toThrow(/Unsupported.*RedisSaver/);
  const saver = offload(new MemorySaver(), { storage, path: place() });
  expect(() => offload(saver, { storage, path: place() })).toThrow(/offloads already/);
  expect(() => offload({} as never, { storage, path: place() })).toThrow(/InvalidArgument/);
});
