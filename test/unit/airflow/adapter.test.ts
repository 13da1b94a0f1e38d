/** The adapter for Airflow's TypeScript task SDK, in both shapes that the SDK has had. */
import { AsyncLocalStorage } from "node:async_hooks";
import { readFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { unmapped, withObjectStorage, wrapTaskClient } from "../../../src/airflow/index.js";
import { taskConnections, withObjectStorage as withParts } from "../../../src/airflow/lean.js";
import type { GetXCom, SetXCom, TaskClient, TaskContext } from "../../../src/airflow/sdk.js";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import { withOwnCredentials } from "../../../src/fs/driver/driver.js";
import { memory } from "../../../src/fs/drivers/memory.js";
import { allowedTypes } from "../../../src/xcom/allowed-types.js";
import { replicate } from "../../../src/xcom/layers/replicate.js";
import { memoryRows } from "../../../src/xcom/rows/memory.js";
import { describeOn, useBucket } from "../../servers/use.js";
import { OWNER, TI, UUID, type World, world } from "../../support/xcom-world.js";

const BASE = "s3://conn@b/xcom";
const PATH = "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH";
const BIG = { text: "x".repeat(500) };

/** A task client on rows of this process, with the SDK's rule for a map index that is left out. */
class Rows implements TaskClient {
  readonly rows = memoryRows();
  readonly sent: unknown[] = [];
  readonly #secret = "only by this";

  constructor(readonly ctx: TaskContext) {}

  at({ key, dagId, runId, taskId, mapIndex }: GetXCom) {
    const { ctx } = this;
    const index = mapIndex === undefined ? ctx.mapIndex : (mapIndex ?? -1);
    return { key, dagId: dagId ?? ctx.dagId, runId: runId ?? ctx.runId, taskId: taskId ?? ctx.taskId, mapIndex: index };
  }

  async getXCom(options: GetXCom): Promise<unknown> {
    return (await this.rows.get(this.at(options)))?.value ?? null;
  }

  async setXCom({ value, ...options }: SetXCom): Promise<void> {
    this.sent.push(value);
    await this.rows.set(this.at(options), value);
  }

  async getConnection(_id: string) {
    return null;
  }

  async getVariable(name: string): Promise<string> {
    return `${name} ${this.#secret}`;
  }
}

function context(more: object = {}): TaskContext {
  return { ...OWNER, mapIndex: -1, signal: new AbortController().signal, ...more };
}

let here: World;
let lines: string[];
let warnings: string[];
let client: Rows;
beforeEach(() => {
  here = world();
  lines = [];
  warnings = [];
  client = new Rows(context());
});

const log = (line: string) => void lines.push(line);
const warn = (line: string) => void warnings.push(line);
const options = (more: object = {}) => ({
  storage: here.storage,
  env: {},
  path: BASE,
  threshold: 100,
  log,
  warn,
  ...more,
});

interface Args {
  ctx: TaskContext;
  client: Rows;
}

/** Runs a handler as 0.1.0-beta1 of the SDK does. */
function call(handler: (args: Args) => unknown, more: object = {}): Promise<unknown> {
  return withObjectStorage(handler, options(more))({ ctx: client.ctx, client });
}

describe("a handler that gets context and client", () => {
  test("reads values for references and writes references for large values", async () => {
    const row = await call(async ({ client }) => {
      await client.setXCom({ key: "big", value: BIG });
      await client.setXCom({ key: "small", value: 1 });
      expect(await client.getXCom({ key: "big" })).toEqual(BIG);
      expect(await client.getXCom({ key: "small" })).toBe(1);
      expect(await client.getXCom({ key: "none" })).toBeNull();
      return { ...BIG, more: true };
    });
    expect(client.sent).toEqual([expect.stringMatching(/^s3:.*\/big\.json$/), 1]);
    expect(row).toMatch(new RegExp(`^${BASE}/.*/write-${UUID.source}/return_value\\.json$`));
    expect(await here.storage.text(row as string)).toBe(JSON.stringify({ ...BIG, more: true }));
  });
  test("small values, null and nothing are returned as they are, without a request", async () => {
    expect(await call(() => [1, { a: "b" }])).toEqual([1, { a: "b" }]);
    expect(await call(() => null)).toBeNull();
    expect(await call(() => undefined)).toBeUndefined();
    expect(here.calls).toEqual([]);
  });
  test("values of other kinds are Airflow's envelopes", async () => {
    const date = await call(() => new Date("2026-11-21T12:00:00Z"), { threshold: -1 });
    expect(date).toMatchObject({ __classname__: "datetime.datetime" });
    expect(await call(() => new Set([1]))).toMatchObject({ __classname__: "builtins.set" });
  });
  test("all other methods are the client's own, with its private state", async () => {
    await call(async ({ client }) => void expect(await client.getVariable("x")).toBe("x only by this"));
  });
  test("its error passes through untouched", async () => {
    const error = new Error("of the task");
    await expect(call(() => Promise.reject(error))).rejects.toBe(error);
  });
  test("the task instance's id is part of the path where the SDK tells it, for the task's own XComs only", async () => {
    client = new Rows(context({ tiId: TI }));
    await call(async ({ client }) => {
      await client.setXCom({ key: "own", value: BIG });
      await client.setXCom({ key: "own", value: BIG, mapIndex: -1 });
      await client.setXCom({ key: "other", value: BIG, taskId: "other" });
      await client.setXCom({ key: "other", value: BIG, mapIndex: 4 });
    });
    const instances = client.sent.map((reference) => String(reference).split("/").at(-2));
    const foreign = expect.stringMatching(/^write-/);
    expect(instances).toEqual([`ti-${TI}`, `ti-${TI}`, foreign, foreign]);
  });
});

describe("a handler with arguments bound to its parameter, context and client in scope", () => {
  const symbol = Symbol.for("airflow.ts-sdk.task-scope");
  const scopes = new AsyncLocalStorage<{ ctx: TaskContext; client: TaskClient; more: string }>();
  beforeEach(() => {
    Object.assign(globalThis, { [symbol]: scopes });
  });
  afterEach(() => {
    delete (globalThis as { [symbol]?: unknown })[symbol];
  });

  /** Arguments as the SDK binds them: found under any spelling, listed under Python's. */
  function bound(values: Record<string, unknown>): object {
    const fold = (name: string) => name.replaceAll("_", "").toLowerCase();
    const find = (name: string | symbol) => Object.keys(values).find((known) => fold(known) === fold(String(name)));
    return new Proxy(Object.create(null) as Record<string, unknown>, {
      get: (_, name) => values[find(name) ?? ""],
      has: (_, name) => find(name) !== undefined,
      ownKeys: () => Object.keys(values),
      getOwnPropertyDescriptor: (_, name) => ({ value: values[String(name)], enumerable: true, configurable: true }),
    });
  }

  function inScope<A>(handler: (args: A) => unknown, args: A): Promise<unknown> {
    const wrapped = withObjectStorage(handler, options());
    return scopes.run({ ctx: client.ctx, client, more: "kept" }, () => wrapped(args));
  }

  test("finds the wrapped client in scope, and what else is there", async () => {
    const row = await inScope(async () => {
      const { client: mine, more } = scopes.getStore()!;
      expect(more).toBe("kept");
      await mine.setXCom({ key: "big", value: BIG });
      expect(await mine.getXCom({ key: "big" })).toEqual(BIG);
      return BIG;
    }, {});
    expect([client.sent[0], row]).toEqual([expect.stringMatching(/^s3:/), expect.stringMatching(/^s3:/)]);
  });
  test("finds values in place of references under every spelling of a name", async () => {
    const backend = new XComObjectStorageBackend({ storage: here.storage, path: BASE, threshold: 0 });
    const reference = await backend.storeValue({ ...OWNER, taskId: "upstream" }, "return_value", BIG);
    const when = await backend
      .storeValue(OWNER, "k", 1)
      .then(() => ({ __classname__: "builtins.set", __version__: 1, __data__: [1] }));
    await inScope(
      async (args: Record<string, unknown>) => {
        expect([args.big_value, args.bigValue, args.region, args.tags]).toEqual([BIG, BIG, "uk", new Set([1])]);
        expect(Object.keys(args)).toEqual(["big_value", "region", "tags"]);
        expect({ ...args }).toEqual({ big_value: BIG, region: "uk", tags: new Set([1]) });
        expect(["bigValue" in args, "none" in args, args.none]).toEqual([true, false, undefined]);
      },
      bound({ big_value: reference, region: "uk", tags: when }) as Record<string, unknown>,
    );
  });
  test("fails before it runs when the object of an argument is missing", async () => {
    let ran = false;
    const missing = `${BASE}/my_dag/run/task/write-${TI}/return_value.json`;
    const failed = inScope(() => {
      ran = true;
    }, bound({ missing }));
    await expect(failed).rejects.toMatchObject({ code: "NotFound" });
    expect(ran).toBe(false);
  });
  test("an argument called ctx or client is an argument", async () => {
    await inScope(
      async (args: { ctx: unknown; client: unknown }) => {
        expect({ ...args }).toEqual({ ctx: "a", client: "b" });
      },
      bound({ ctx: "a", client: "b" }) as { ctx: unknown; client: unknown },
    );
  });
});

test("any other SDK is Unsupported, before the handler runs", async () => {
  const wrapped = withObjectStorage(() => {
    throw new Error("ran");
  }, options());
  for (const args of [undefined, {}, { ctx: client.ctx }, { ctx: client.ctx, client: {} }])
    await expect((async () => wrapped(args))()).rejects.toMatchObject({ code: "Unsupported" });
});

test("the guide shows the example as it stands", async () => {
  const guide = await readFile("docs/airflow.md", "utf8");
  for (const file of ["dags/large_xcoms.py", "src/main.ts", "env.sh"])
    expect(guide).toContain(`\n${await readFile(`examples/airflow/${file}`, "utf8")}\`\`\`\n`);
});

test("the wrapped function has the name and the marks of the handler", () => {
  const mark = Symbol("names of arguments");
  const handler = Object.assign(async function extract() {}, { [mark]: 1 });
  const wrapped = withObjectStorage(handler);
  expect([wrapped.name, Reflect.get(wrapped, mark)]).toEqual(["extract", 1]);
});

describe("the wire", () => {
  const deep = JSON.parse("[".repeat(95) + "]".repeat(95));
  test.each([
    ["bytes", { a: new Uint8Array(2) }, "InvalidArgument"],
    ["a function", () => 1, "InvalidArgument"],
    ["a symbol", [Symbol("x")], "InvalidArgument"],
    ["a lone surrogate", { a: ["\ud800"] }, "InvalidArgument"],
    ["a lone surrogate in a key", { "\udc00": 1 }, "InvalidArgument"],
    ["deep nesting", deep, "InvalidArgument"],
    ["NaN", Number.NaN, "InvalidArgument"],
    ["a large bigint", 2n ** 64n, "InvalidArgument"],
    ["more than 16 MiB", ["x".repeat(8 * 1024 * 1024), "é".repeat(5 * 1024 * 1024)], "TooLarge"],
  ])("X11 %s is refused where no object is made, and nothing is sent", async (_name, value, code) => {
    const failed = call(({ client }) => client.setXCom({ key: "k", value }), { threshold: -1 });
    await expect(failed).rejects.toMatchObject({ code });
    await expect(call(() => value, { threshold: -1 })).rejects.toMatchObject({ code });
    expect(client.sent).toEqual([]);
  });
  test.each([
    ["a lone surrogate", { a: "\ud800" }],
    ["deep nesting", deep],
    ["NaN", [Number.NaN]],
    ["a large bigint", 2n ** 64n],
    ["20 MiB", "x".repeat(20 * 1024 * 1024)],
  ])("X11 %s goes into an object and comes back", async (_name, value) => {
    await call(
      async ({ client }) => {
        await client.setXCom({ key: "k", value });
        expect(await client.getXCom({ key: "k" })).toEqual(value);
      },
      { threshold: 0 },
    );
    expect(client.sent).toEqual([expect.stringMatching(/^s3:/)]);
  });
  test("what is just small enough is sent", async () => {
    const value = [JSON.parse("[".repeat(88) + "]".repeat(88)), "x".repeat(16 * 1024 * 1024 - 1000)];
    await call(({ client }) => client.setXCom({ key: "k", value }), { threshold: -1 });
    expect(client.sent).toEqual([value]);
  });
  test("whatever another backend gives is checked too", async () => {
    const loose = { storeValue: async () => new Date(), loadValue: async () => 1, purge: async () => false };
    const wrapped = wrapTaskClient(client, client.ctx, loose);
    await expect(wrapped.setXCom({ key: "k", value: 1 })).rejects.toMatchObject({
      code: "InvalidArgument",
      op: "setXCom",
    });
    expect(client.sent).toEqual([]);
  });
});

describe("settings", () => {
  const none = { path: undefined, threshold: undefined };

  test("come from the environment, and one line says so", async () => {
    const env = { [PATH]: BASE, AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD: "10" };
    expect(await call(() => BIG, { ...none, env })).toMatch(/^s3:/);
    expect(lines).toEqual([
      `stowage: XComs of 10 bytes and more go to ${BASE}, uncompressed (path: environment, threshold: environment, compression: default)`,
    ]);
  });
  test("come from the options before the environment", async () => {
    const env = { [PATH]: `${BASE}/`, AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD: "10" };
    expect(await call(() => BIG, { env, threshold: -1, compression: "gzip" })).toEqual(BIG);
    expect(lines).toEqual([
      `stowage: no XCom goes to ${BASE}, with gzip (path: option, threshold: option, compression: option)`,
    ]);
  });
  test("two different paths are an error that names both, before the handler runs", async () => {
    const failed = call(() => expect.unreachable(), { env: { [PATH]: "s3://conn@b/other" } });
    await expect(failed).rejects.toMatchObject({ code: "InvalidArgument" });
    await expect(failed).rejects.toThrow(/s3:\/\/conn@b\/xcom.*s3:\/\/conn@b\/other/);
  });
  test("without any path the error says where it can be set", async () => {
    await expect(call(() => BIG, none)).rejects.toThrow(/AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH.*airflow\.cfg/);
  });
  test.each([
    [{ compression: "gz" }, /expected one of zip, gzip, bz2/],
    [{ threshold: 1.5 }, /threshold/],
    [{ env: { AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD: "many" } }, /THRESHOLD/],
    [{ path: "s3://user:password@bucket/x" }, /password|connection/],
  ])("%o is an error before the handler runs", async (more, message) => {
    await expect(call(() => expect.unreachable(), more)).rejects.toThrow(message);
  });
  test("another backend for Python tasks is warned of", async () => {
    await call(() => 1, { env: { AIRFLOW__CORE__XCOM_BACKEND: "airflow.sdk.execution_time.xcom.BaseXCom" } });
    expect(warnings).toEqual([expect.stringContaining("BaseXCom")]);
    await call(() => 1, {
      env: { AIRFLOW__CORE__XCOM_BACKEND: "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend" },
    });
    expect(warnings).toHaveLength(1);
  });
});

describe("map indexes", () => {
  beforeEach(async () => {
    client = new Rows(context({ mapIndex: 3 }));
    await client.rows.set({ ...OWNER, taskId: "plain", key: "return_value" }, "found");
  });

  test("an upstream that is not mapped is null with a warning, and found with unmapped()", async () => {
    await call(async ({ client }) => {
      expect(await client.getXCom({ key: "return_value", taskId: "plain" })).toBeNull();
      expect(await client.getXCom(unmapped({ key: "return_value", taskId: "plain" }))).toBe("found");
    });
    expect(warnings).toEqual([expect.stringMatching(/"plain" at map index 3.*unmapped/)]);
  });
  test("there is no warning where the index was given, or the task asks for its own", async () => {
    await call(async ({ client }) => {
      expect(await client.getXCom({ key: "none", taskId: "plain", mapIndex: 3 })).toBeNull();
      expect(await client.getXCom({ key: "none" })).toBeNull();
      expect(await client.getXCom({ key: "none", taskId: client.ctx.taskId })).toBeNull();
    });
    expect(warnings).toEqual([]);
  });
});

describe("whose an object is", () => {
  async function stored(owner: object): Promise<unknown> {
    const backend = new XComObjectStorageBackend({ storage: here.storage, path: BASE, threshold: 0 });
    return backend.storeValue({ ...OWNER, ...owner }, "k", BIG);
  }

  test("X04 a row with a reference to another task's object is PermissionDenied", async () => {
    await client.rows.set({ ...OWNER, key: "k" }, await stored({ taskId: "other" }));
    await expect(call(({ client }) => client.getXCom({ key: "k" }))).rejects.toMatchObject({
      code: "PermissionDenied",
    });
    expect(here.calls.filter((request) => request.startsWith("read"))).toEqual([]);
  });
  test("the row of an earlier run refers to that run's object", async () => {
    await client.rows.set({ ...OWNER, key: "k" }, await stored({ runId: "earlier" }));
    await call(
      async ({ client }) => void expect(await client.getXCom({ key: "k", includePriorDates: true })).toEqual(BIG),
    );
  });
  test.each([{ taskId: "other" }, { dagId: "other", runId: "earlier" }])(
    "of an earlier run's row too: %j is PermissionDenied",
    async (other) => {
      await client.rows.set({ ...OWNER, key: "k" }, await stored(other));
      const reading = call(({ client }) => client.getXCom({ key: "k", includePriorDates: true }));
      await expect(reading).rejects.toMatchObject({ code: "PermissionDenied" });
    },
  );
  test("ids that are given are the owner", async () => {
    const theirs = { dagId: "d", runId: "r", taskId: "t" };
    await client.rows.set({ ...theirs, key: "k" }, await stored(theirs));
    await call(async ({ client }) => void expect(await client.getXCom({ ...theirs, key: "k" })).toEqual(BIG));
  });
});

describe("abort", () => {
  test("ends every call with the signal's reason, and nothing is stored or sent", async () => {
    const reason = new Error("Task aborted by SIGTERM");
    client = new Rows(context({ signal: AbortSignal.abort(reason) }));
    await client.rows.set({ ...OWNER, key: "k" }, `${BASE}/x`);
    await expect(call(({ client }) => client.getXCom({ key: "k" }))).rejects.toBe(reason);
    await expect(call(({ client }) => client.setXCom({ key: "k", value: BIG }))).rejects.toBe(reason);
    await expect(call(() => BIG)).rejects.toBe(reason);
    expect([client.sent, here.calls]).toEqual([[], []]);
  });
  test("after the object was written no row is sent", async () => {
    const stop = new AbortController();
    client = new Rows(context({ signal: stop.signal }));
    const late = {
      storeValue: async () => {
        stop.abort("late");
        return 1;
      },
      loadValue: async () => 1,
      purge: async () => false,
    };
    await expect(wrapTaskClient(client, client.ctx, late).setXCom({ key: "k", value: 1 })).rejects.toBe("late");
    expect(client.sent).toEqual([]);
  });
});

describe("the backend", () => {
  test("has all options that are given", async () => {
    expect(await call(() => BIG, { digest: true })).toMatch(/\/return_value~sha256-[0-9a-f]{64}\.json$/);
    await expect(call(() => new Date(0), { allowedTypes: [] })).rejects.toThrow(/datetime.datetime is not in allowed/);
  });
  test("may have layers around it", async () => {
    const layers = (backend: XComObjectStorageBackend) => {
      const second = new XComObjectStorageBackend({
        storage: backend.storage,
        path: "s3://other@c/xcom",
        threshold: 100,
      });
      return replicate({ targets: [backend, second] });
    };
    const row = await call(() => BIG, { layers });
    await here.storage.delete(row as string);
    await client.rows.set(client.at({ key: "big" }), row);
    await call(async ({ client }) => void expect(await client.getXCom({ key: "big" })).toEqual(BIG), { layers });
  });
});

describe("of named parts", () => {
  const parts = (more: object = {}) => ({ ...settings(), drivers: [memory()], ...more });
  const settings = () => ({ path: "memory://conn@b/xcom", threshold: 100, log, warn });
  const run = (handler: (args: Args) => unknown, more: object) =>
    withParts(handler, parts(more))({ ctx: client.ctx, client });

  test("an id is looked up where the parts say so, at the API server for example, and nowhere else", async () => {
    const asked: string[] = [];
    client.getConnection = async (id) => {
      asked.push(id);
      return null;
    };
    await expect(run(() => BIG, {})).rejects.toThrow(/InvalidArgument \(no connection of this id .*left out/);
    expect(asked).toEqual([]);
    const unknown = run(() => BIG, { connections: taskConnections });
    await expect(unknown).rejects.toThrow(/InvalidArgument \(no connection of this id in: the API server/);
    expect(asked).toEqual(["conn"]);
  });
  test("the API server is asked for a connection once, however many buckets it opens", async () => {
    const asked: string[] = [];
    client.getConnection = async (id) => {
      asked.push(id);
      return { id, type: "aws" } as never;
    };
    const source = taskConnections(client);
    await Promise.all([source.get("conn"), source.get("conn"), source.get("other")]);
    await source.get("conn");
    expect(asked).toEqual(["conn", "other"]);
  });
  test("drivers with credentials of their own ask nobody, and values come back from their objects", async () => {
    const drivers = [{ schemes: ["memory"], open: withOwnCredentials(memory().open) }];
    const row = await run(() => BIG, { drivers });
    expect(row).toMatch(/^memory:\/\/conn@b\/xcom\/.*\/return_value\.json$/);
    await client.rows.set(client.at({ key: "big" }), row);
    await run(async ({ client }) => void expect(await client.getXCom({ key: "big" })).toEqual(BIG), { drivers });
  });
  test("an option whose part was not named is refused before the handler runs", async () => {
    const never = () => expect.unreachable();
    await expect(run(never, { allowedTypes: [] })).rejects.toThrow(
      /InvalidArgument \(option allowedTypes requires the `allowedTypes` feature/,
    );
    const drivers = [{ schemes: ["memory"], open: withOwnCredentials(memory().open) }];
    const limited = run(() => new Date(0), { drivers, allowedTypes: [], features: allowedTypes });
    await expect(limited).rejects.toThrow(/datetime.datetime is not in allowed/);
  });
});

describe("the storage", () => {
  test("that was given stays open", async () => {
    await call(() => BIG);
    await expect(here.storage.exists(`${BASE}/x`)).resolves.toBe(false);
  });
  test("of its own is closed after the handler, also when it fails", async () => {
    let late: Promise<unknown> | undefined;
    const own = { ...options(), storage: undefined, path: "memory://b/xcom" };
    const handler = ({ client }: Args) => {
      late = new Promise((resolve) => setTimeout(resolve, 50)).then(() => client.setXCom({ key: "k", value: BIG }));
      late.catch(() => {});
      throw new Error("of the task");
    };
    await expect(withObjectStorage(handler, own)({ ctx: client.ctx, client })).rejects.toThrow("of the task");
    await expect(late).rejects.toThrow(/closed/);
  });
});

await describeOn("minio", "connections", (server) => {
  const bucket = useBucket(server);
  const { type, login, password, extra } = server.connection;
  const asked: string[] = [];
  const known = { type, login, password, extra: JSON.stringify(extra) };
  const variable = JSON.stringify({ conn_type: type, login, password, extra });

  function on(found: (id: string) => unknown, env: Record<string, string> = {}): Promise<unknown> {
    const asking = Object.assign(client, {
      getConnection: async (id: string) => {
        asked.push(id);
        return found(id) as never;
      },
    });
    const path = `s3://lake@${bucket().name}/xcom`;
    const handler = async ({ client }: Args) => {
      await client.setXCom({ key: "k", value: BIG });
      return client.getXCom({ key: "k" });
    };
    const given = { ...options(), storage: undefined, threshold: 10, path, env };
    return withObjectStorage(handler, given)({ ctx: asking.ctx, client: asking });
  }
  beforeEach(() => {
    asked.length = 0;
  });

  test("are asked of the API server, once", async () => {
    expect(await on(() => known, { AIRFLOW_CONN_LAKE: "aws://wrong:wrong@" })).toMatch(/^s3:\/\/lake@/);
    expect(asked).toEqual(["lake"]);
  });
  test("that the server does not know come from the environment", async () => {
    expect(await on(() => null, { AIRFLOW_CONN_LAKE: variable })).toMatch(/^s3:\/\/lake@/);
  });
  test("that nobody knows are an error that names both places", async () => {
    const failed = on(() => null);
    await expect(failed).rejects.toMatchObject({ code: "InvalidArgument" });
    await expect(failed).rejects.toThrow(/"lake".*client\.getConnection.*AIRFLOW_CONN/);
  });
  test("are not looked for elsewhere when the server cannot be asked", async () => {
    const down = () => {
      throw new Error("GetConnection failed: API_SERVER_ERROR");
    };
    await expect(on(down, { AIRFLOW_CONN_LAKE: variable })).rejects.toMatchObject({ code: "Unavailable" });
  });
});
