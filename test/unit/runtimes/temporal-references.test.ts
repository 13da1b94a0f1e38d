/** References in what Temporal keeps: completeness of pages, what is gone meanwhile, and answers that are none. */
import { describe, expect, test, vi } from "vitest";
import { type TemporalService, temporalReferences } from "../../../src/runtimes/temporal.js";
import { all } from "../../support/all.js";
import { jsonLines } from "../../support/command.js";
import { commandInProcess } from "../../support/in-process.js";

const sha256 = (name: string) => Buffer.from(name).toString("hex").padEnd(64, "0");
const key = (name: string) => `v0/d/sha256/${sha256(name)}`;
const url = (name: string) => `s3://lake@payloads/${key(name)}`;

function payload(name: string, { data, metadata = {} }: { data?: object; metadata?: Record<string, string> } = {}) {
  const claimData = { bucket: "payloads", key: key(name), hash_algorithm: "sha256", hash_value: sha256(name) };
  const all = { encoding: "json/protobuf", messageType: "temporal.api.sdk.v1.ExternalStorageReference", ...metadata };
  return {
    metadata: Object.fromEntries(Object.entries(all).map(([name, value]) => [name, Buffer.from(value)])),
    data: Buffer.from(JSON.stringify(data ?? { driverName: "aws.s3driver", claimData })),
    externalPayloads: [{ sizeBytes: 5 }],
  };
}

interface World {
  schedules?: Record<string, object>;
  activities?: Record<string, object>;
  /** By `id/run`: the events of its history, and what describing an open one returns. */
  runs?: Record<string, { events: object[]; open?: object }>;
  /** Entries of the listing without a history. */
  listed?: string[];
}

const status = (code: number, message = "refused") => Object.assign(new Error(message), { code });
const PAGE = 3;

/** A service with pages of three entries. Each call can be changed, or have something happen before it. */
function serviceOf(world: World, change: Partial<TemporalService> = {}, called: string[] = []) {
  const paged = <T>(field: string, entries: T[], token: Uint8Array) => {
    const from = Number(Buffer.from(token).toString() || 0);
    const next = from + PAGE < entries.length ? String(from + PAGE) : "";
    return { [field]: entries.slice(from, from + PAGE), nextPageToken: Buffer.from(next) };
  };
  const runOf = (workflowId: string, runId: string) => {
    const runs = Object.entries(world.runs ?? {});
    const found = runs.findLast(
      ([name]) => name === `${workflowId}/${runId}` || (!runId && name.startsWith(`${workflowId}/`)),
    );
    if (!found) throw status(5);
    return found[1];
  };
  const service: TemporalService = {
    listSchedules: async ({ nextPageToken }) =>
      paged(
        "schedules",
        Object.keys(world.schedules ?? {}).map((scheduleId) => ({ scheduleId })),
        nextPageToken,
      ),
    describeSchedule: async ({ scheduleId }) => world.schedules![scheduleId]!,
    listActivityExecutions: async ({ nextPageToken }) => {
      if (!world.activities) throw status(12);
      return paged(
        "executions",
        Object.keys(world.activities).map((activityId) => ({ activityId, runId: "r" })),
        nextPageToken,
      );
    },
    describeActivityExecution: async (request) => {
      expect(request).toMatchObject({
        includeInput: true,
        includeOutcome: true,
        includeHeartbeatDetails: true,
        includeLastFailure: true,
      });
      return world.activities![request.activityId]!;
    },
    listNexusOperationExecutions: async () => {
      throw status(12);
    },
    listWorkflowExecutions: async ({ nextPageToken }) => {
      const entries = (world.listed ?? Object.keys(world.runs ?? {})).map((name) => {
        const [workflowId, runId] = name.split("/");
        const closeTime = world.runs?.[name]?.open ? null : { seconds: 1 };
        return { execution: { workflowId, runId }, closeTime };
      });
      return paged("executions", entries, nextPageToken);
    },
    describeWorkflowExecution: async ({ execution }) => runOf(execution.workflowId, execution.runId).open!,
    getWorkflowExecutionHistory: async ({ execution, nextPageToken }) => {
      const { events, nextPageToken: next } = paged(
        "events",
        runOf(execution.workflowId, execution.runId).events.map((event, i) => ({ eventId: i + 1, ...event })),
        nextPageToken,
      );
      return { history: { events }, nextPageToken: next };
    },
  };
  const watched = Object.fromEntries(
    Object.entries({ ...service, ...change }).map(([name, call]) => [
      name,
      (request: never) => {
        called.push(name);
        return (call as (request: never) => Promise<object>)(request);
      },
    ]),
  );
  return watched as unknown as TemporalService;
}

const read = (service: TemporalService) => all(temporalReferences(service, { url: "s3://lake@payloads" }).references());
const textsOf = async (service: TemporalService) => (await read(service)).map(({ text }) => text).sort();
const input = (...names: string[]) => ({ some: { input: { payloads: names.map((name) => payload(name)) } } });

describe("everything is read", () => {
  test("all pages of schedules, activities, workflows and their histories, with size and place", async () => {
    const named = (prefix: string, count = 5) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
    const world: World = {
      schedules: Object.fromEntries(named("s").map((name) => [name, { schedule: { action: input(name) } }])),
      activities: Object.fromEntries(named("a").map((name) => [name, { info: {}, outcome: input(name) }])),
      runs: Object.fromEntries(
        named("w").map((name) => [`${name}/r`, { events: named(name, 8).map((one) => input(one)) }]),
      ),
    };
    const expected = [...named("s"), ...named("a"), ...named("w").flatMap((name) => named(name, 8))];
    const found = await read(serviceOf(world));
    expect(found.map(({ text }) => text).sort()).toEqual(expected.map(url).sort());
    expect(found).toContainEqual({ text: url("w1" + "7"), where: "workflow w1, run r", plainSize: 5 });
    expect(found).toContainEqual({ text: url("s4"), where: "schedule s4", plainSize: 5 });
  });

  test("payloads wherever they stand: memos, headers, causes of failures, markers, and those of pending activities", async () => {
    const fields = { fields: { a: payload("memo") } };
    const cause = { cause: { applicationFailureInfo: { details: { payloads: [payload("cause")] } } } };
    const events = [
      { workflowExecutionStartedEventAttributes: { memo: fields, header: { fields: { h: payload("header") } } } },
      { activityTaskFailedEventAttributes: { failure: cause } },
      { markerRecordedEventAttributes: { details: { data: { payloads: [payload("marker")] } } } },
      { ofALaterVersion: { deep: [{ deeper: payload("later") }] } },
    ];
    const open = { pendingActivities: [{ heartbeatDetails: { payloads: [payload("beat")] }, lastFailure: cause }] };
    const texts = await textsOf(serviceOf({ runs: { "w/r": { events, open } } }));
    expect(texts).toEqual(["memo", "header", "cause", "marker", "later", "beat"].map(url).sort());
  });

  test("claims of all official drivers and of older SDKs; those of drivers with other fields are passed over", async () => {
    const gcs = { bucket: "payloads", object: key("gcs"), hashAlgorithm: "sha256", hashValue: sha256("gcs") };
    const python = {
      bucket: "payloads",
      object_name: key("python"),
      hash_algorithm: "sha256",
      hash_value: sha256("python"),
    };
    const s3 = { bucket: "payloads", key: key("old"), hash_algorithm: "sha256", hash_value: sha256("old") };
    const payloads = [
      payload("", { data: { driverName: "gcp.gcsdriver", claimData: gcs } }),
      payload("", { data: { driver_name: "gcp.gcsdriver", claim_data: python } }),
      payload("", {
        data: { driver_name: "d", driver_claim: { claim_data: s3 } },
        metadata: { encoding: "json/external-storage-reference", messageType: "" },
      }),
      payload("", { data: { driverName: "redis", claimData: { id: "7" } } }),
      payload("value", { metadata: { encoding: "json/plain", messageType: "" } }),
    ];
    const texts = await textsOf(serviceOf({ runs: { "w/r": { events: [{ payloads }] } } }));
    expect(texts).toEqual(["gcs", "python", "old"].map(url).sort());
  });

  test("schedules are read before workflows, and pending activities before the history to which they move", async () => {
    const called: string[] = [];
    const runs = { "w/r": { events: [input("a")], open: { pendingActivities: [] } } };
    await read(serviceOf({ schedules: { s: {} }, runs }, {}, called));
    const order = [
      "describeSchedule",
      "listWorkflowExecutions",
      "describeWorkflowExecution",
      "getWorkflowExecutionHistory",
    ];
    expect(called.filter((name) => order.includes(name))).toEqual(order);
  });

  test("a run that is gone is passed over; its successor has its references", async () => {
    const runs = { "reset/2": { events: [input("kept")] }, "other/1": { events: [input("other")] } };
    const world = { runs, listed: ["gone/1", "reset/1", "other/1"] };
    expect(await textsOf(serviceOf(world))).toEqual(["kept", "other"].map(url).sort());
  });

  test("an SDK or a server without activities and Nexus operations of their own has none", async () => {
    const older = { listActivityExecutions: undefined, listNexusOperationExecutions: undefined } as never;
    const runs = { "w/r": { events: [input("a")] } };
    const service = serviceOf({ runs });
    expect(await textsOf({ ...service, ...(older as object) } as TemporalService)).toEqual([url("a")]);
    expect(await textsOf(service)).toEqual([url("a")]);
  });
});

describe("what could be incomplete ends the reading", () => {
  const runs = { "w/r": { events: Array.from({ length: 8 }, (_, i) => input(`e${i}`)) } };
  const ended = (change: Partial<TemporalService>) => read(serviceOf({ runs }, change));

  test.each([
    [14, "Unavailable"],
    [4, "Timeout"],
    [7, "PermissionDenied"],
    [16, "Unauthenticated"],
    [8, "Throttled"],
    [9, "InvalidArgument"],
    [13, "Unavailable"],
  ])("status %i of any call is %s", async (code, expected) => {
    const refused = async () => {
      throw status(code);
    };
    for (const method of [
      "listSchedules",
      "listActivityExecutions",
      "listWorkflowExecutions",
      "getWorkflowExecutionHistory",
    ])
      await expect([method, await ended({ [method]: refused }).catch(({ code }) => code)]).toEqual([method, expected]);
  });

  test("a namespace that is not there, and a method that is refused on a later page", async () => {
    const missing = async () => {
      throw status(5);
    };
    await expect(ended({ listWorkflowExecutions: missing })).rejects.toMatchObject({ code: "NotFound" });
    const later = async ({ nextPageToken }: { nextPageToken: Uint8Array }) => {
      if (nextPageToken.byteLength > 0) throw status(12);
      return { executions: [], nextPageToken: Buffer.from("1") };
    };
    await expect(ended({ listActivityExecutions: later })).rejects.toMatchObject({ code: "Unsupported" });
  });

  test("histories with a gap, with no event, of raw bytes, and answers of another form are Corrupt", async () => {
    const pages = [
      { history: { events: [{ eventId: 1 }, { eventId: 3 }] } },
      { history: { events: [{ eventId: 5 }] } },
      { history: { events: [] } },
      { rawHistory: [{ data: Buffer.from("x") }] },
      { history: { events: "text" } },
      {},
    ];
    for (const page of pages)
      await expect(ended({ getWorkflowExecutionHistory: async () => page })).rejects.toMatchObject({ code: "Corrupt" });
    for (const executions of ["text", [{}], [{ execution: { workflowId: "w" } }], [undefined]])
      await expect(ended({ listWorkflowExecutions: async () => ({ executions }) })).rejects.toMatchObject({
        code: "Corrupt",
      });
  });

  test("references that cannot be read, of another encoding, or in a bucket without a place", async () => {
    const claims: [object, Record<string, string>, string][] = [
      [{ claimData: { bucket: "payloads" } }, {}, "InvalidArgument"],
      [
        { claimData: { bucket: "other", key: key("a"), hash_algorithm: "sha256", hash_value: sha256("a") } },
        {},
        "PermissionDenied",
      ],
      [{}, {}, "Corrupt"],
      [{}, { encoding: "binary/protobuf" }, "Unsupported"],
    ];
    for (const [data, metadata, code] of claims) {
      const events = [{ payload: payload("a", { data, metadata }) }];
      const reading = read(serviceOf({ runs: { "w/r": { events } } }));
      await expect(reading).rejects.toThrow(new RegExp(`${code}.*workflow w, run r`));
    }
  });

  test("an abort ends it at once, also while the service does not answer", async () => {
    const stop = new AbortController();
    const silent = () => {
      stop.abort(new Error("stopped"));
      return new Promise<object>(() => {});
    };
    const source = temporalReferences(serviceOf({ runs }, { getWorkflowExecutionHistory: silent }), {
      url: "s3://lake@payloads",
    });
    await expect(all(source.references({ signal: stop.signal }))).rejects.toThrow("stopped");
  });
});

test("options and services of another form are refused", () => {
  const service = serviceOf({});
  for (const wrong of [
    {},
    { url: "s3://lake@payloads", namespaces: "x" },
    { url: "s3://lake@payloads", namespace: "" },
  ])
    expect(() => temporalReferences(service, wrong as never)).toThrow(/InvalidArgument/);
  expect(() => temporalReferences({} as never, { url: "s3://lake@payloads" })).toThrow(/workflowService/);
});

test("the command needs a server, and a place for claims", async () => {
  const run = (...args: string[]) => commandInProcess(args);
  expect(await run("fsck", "--temporal")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("TEMPORAL_ADDRESS"),
  });
  const place = { code: 2, stderr: expect.stringContaining("--temporal-url") };
  expect(await run("fsck", "--temporal", "127.0.0.1:1/default")).toMatchObject(place);
  expect(await run("fsck", "file:///x", "--temporal", "127.0.0.1:1/default")).toMatchObject(place);
  expect(await run("fsck", "--temporal-url", "s3://x", "--dbos", "postgres://x")).toMatchObject(place);
  expect((await run("fsck", "--schema", "x", "--claims", "--refs", "-")).code).toBe(2);
});

describe("the command on a namespace with claims of two buckets", () => {
  const claimOf = (bucket: string) => ({
    claimData: { bucket, key: key("a"), hash_algorithm: "sha256", hash_value: sha256("a") },
  });
  const payloads = ["payloads", "older"].map((bucket) => payload("a", { data: claimOf(bucket) }));
  const workflowService = serviceOf({ runs: { "w/r": { events: [{ some: { input: { payloads } } }] } } });
  const run = async (...args: string[]) => {
    vi.doMock("@temporalio/client", () => ({ Connection: { connect: async () => ({ workflowService, close() {} }) } }));
    const ran = await commandInProcess(["fsck", "memory://payloads/v0", "--temporal", "host/default", ...args]);
    vi.doUnmock("@temporalio/client");
    return ran;
  };

  test("names the option that says where the other one is, and it is enough", async () => {
    const { code, stderr } = await run();
    expect([code, stderr]).toEqual([
      1,
      'stowage: a claim in workflow w, run r: no place is known for the bucket "older": ' +
        "say where it is with --temporal-url older=URL\n",
    ]);
    const { stdout } = await run("--json", "--temporal-url", "older=memory://archive");
    const lines = jsonLines(stdout);
    expect(lines.map(({ reference, problem }) => [reference, problem]).slice(0, -1)).toEqual([
      [`memory://archive/${key("a")}`, "foreign"],
      [`memory://payloads/${key("a")}`, "missing"],
    ]);
  });
});
