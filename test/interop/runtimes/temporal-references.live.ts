/** A sweep and a check over what Temporal's server keeps: nothing that is alive is deleted, and nothing else is kept. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Context } from "@temporalio/activity";
import { Client, Connection } from "@temporalio/client";
import { ApplicationFailure } from "@temporalio/common";
import { ExternalStorage } from "@temporalio/common/lib/converter/extstore.js";
import { bundleWorkflowCode, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { afterAll, beforeAll, expect, test } from "vitest";
import { claimsLayout } from "../../../src/claims.js";
import { openStorage } from "../../../src/index.js";
import { temporalDriver, temporalReferences } from "../../../src/runtimes/temporal.js";
import { decodePayload } from "../../../src/runtimes/temporal-payload.js";
import { fsck, sweep } from "../../../src/xcom.js";
import { startTemporal } from "../../servers/runtimes.mjs";
import { all } from "../../support/all.js";
import { jsonLines } from "../../support/command.js";
import { commandInProcess } from "../../support/in-process.js";

const QUEUE = "references";
const storage = openStorage({ env: {} });
/** Each value is another one, so that an object that is kept by mistake of another value is seen. */
const large = (name: string) => `${name} ${"x".repeat(3000)}`;
const layout = claimsLayout({ refreshAfter: 1 });

let url: string;
let address: string;
let stopServer: () => Promise<void>;
let externalStorage: ExternalStorage;
let bundle: string;
let client: Client;
let worker: Worker;
let running: Promise<void>;

beforeAll(async () => {
  url = `file://${await mkdtemp(join(tmpdir(), "stowage-temporal-"))}/payloads`;
  ({ address, stop: stopServer } = await startTemporal());
  Runtime.install({ logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} } as never });
  externalStorage = new ExternalStorage({
    drivers: [temporalDriver({ storage, url })],
    payloadSizeThreshold: 2000,
  });
  client = new Client({ connection: await Connection.connect({ address }), dataConverter: { externalStorage } });
  ({ code: bundle } = await bundleWorkflowCode({ workflowsPath: join(import.meta.dirname, "temporal/workflows.mjs") }));
  await startWorker();
}, 240_000);

async function startWorker(): Promise<void> {
  worker = await Worker.create({
    connection: await NativeConnection.connect({ address }),
    taskQueue: QUEUE,
    workflowBundle: { code: bundle },
    dataConverter: { externalStorage },
    activities: {
      grow: async (text: string) => `${text} grown`,
      shrink: async (text: string) => text.length,
      hang: async () => {
        for (;;) {
          Context.current().heartbeat(large("a heartbeat"));
          await Context.current().sleep(1000);
        }
      },
      failing: async () => {
        throw ApplicationFailure.create({ message: "again", details: [large("details of a failure")] });
      },
    },
  });
  running = worker.run();
}

afterAll(async () => {
  worker?.shutdown();
  await running;
  await client?.connection.close();
  await stopServer?.();
  await storage.close();
  if (url) await rm(url.replace("file://", "").replace("/payloads", ""), { recursive: true, force: true });
});

/** All objects, and what they hold without the letters that make it large. */
async function values(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { path } of storage.list(url, { recursive: true })) {
    const value = JSON.parse(String(Buffer.from(decodePayload(await storage.bytes(path)).data!)));
    found.set(String(path), (value.large ? `${value.large} in a result` : String(value)).replace(/ x+/, ""));
  }
  return found;
}

const start = (type: string, workflowId: string, ...args: unknown[]) =>
  client.workflow.start(type, { taskQueue: QUEUE, workflowId, args });

/** Waits until the activities of a workflow have the heartbeat and the failure. */
async function pending(workflowId: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    const activities = raw.pendingActivities ?? [];
    if (activities.some((one) => one.heartbeatDetails) && activities.some((one) => one.lastFailure)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the activities have neither a heartbeat nor a failure");
}

/** Waits until a workflow is gone: the server deletes in the background. */
async function deleted(workflowId: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const left = await all(client.workflow.list({ query: `WorkflowId = "${workflowId}"` }));
    const isThere = await client.workflow
      .getHandle(workflowId)
      .describe()
      .catch(() => undefined);
    if (left.length === 0 && !isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${workflowId} is still there`);
}

/** Waits until the server describes the schedule: by a workflow of its own, whose worker starts late. */
async function described(): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return void (await client.schedule.getHandle("yearly").describe());
    } catch (error) {
      if (tries === 5) throw error;
    }
  }
}

/** The result of the workflow that the schedule has started. */
async function scheduled(): Promise<unknown> {
  for (let tries = 0; tries < 200; tries++) {
    const [action] = (await client.schedule.getHandle("yearly").describe()).info.recentActions;
    if (action?.action.type === "startWorkflow")
      return client.workflow.getHandle(action.action.workflow.workflowId).result();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the schedule has started nothing");
}

test("a sweep deletes what is in no history, and nothing that a client or worker still reads", async () => {
  const options = { taskQueue: QUEUE, workflowId: "open", memo: { note: large("a memo") } };
  const open = await client.workflow.start("throughEverything", { ...options, args: [large("input")] });
  // More events than a page of the history has.
  for (let i = 0; i < 150; i++) await open.signal("append", large(`signal ${i}`));
  const closed = await start("throughActivities", "closed", large("closed"));
  const result = await closed.result();
  const chain = await start("throughChildren", "chain", large("chain"));
  expect(await chain.result()).toBe(`${large("chain")}21`);
  await client.schedule.create({
    scheduleId: "yearly",
    spec: { intervals: [{ every: "365d" }] },
    action: { type: "startWorkflow", workflowType: "throughActivities", taskQueue: QUEUE, args: [large("scheduled")] },
  });
  await described();
  const alone = { id: "alone", taskQueue: QUEUE, args: [large("alone")], startToCloseTimeout: "1m" } as const;
  expect(await client.activity.execute("grow", alone)).toBe(`${large("alone")} grown`);
  await pending("open");
  expect(await open.query("current")).toMatch(/as a query's result$/);
  const gone = await start("throughActivities", "gone", large("gone"));
  await gone.result();
  const workflowExecution = { workflowId: "gone", runId: gone.firstExecutionRunId };
  await client.workflowService.deleteWorkflowExecution({ namespace: "default", workflowExecution });
  await deleted("gone");
  const before = await values();
  for (const value of [
    "a heartbeat",
    "details of a failure",
    "a memo",
    "input of the changed memo",
    "scheduled",
    "alone",
  ])
    expect([...before.values()]).toContain(value);

  const sources = [temporalReferences(client.workflowService, { url })];
  const report = await fsck({ storage, path: url, sources, layout, deep: true });
  expect(report).toMatchObject({ missing: 0, damaged: 0, size: 0, foreign: 0, layout: 0 });
  const args = ["sweep", url, "--json", "--temporal", `${address}/default`, "--temporal-url", url];
  const { code, stdout } = await commandInProcess([...args, "--grace", "0", "--force"]);
  expect([code, jsonLines(stdout).at(-1)]).toEqual([0, expect.objectContaining({ orphaned: 6, deleted: 0 })]);
  const removal = { storage, path: url, sources, layout, delete: true, graceMs: 1, force: true };
  expect(await sweep(removal)).toMatchObject({ considered: before.size, deleted: 6 });
  for (const path of (await values()).keys()) before.delete(path);
  expect([...before.values()].sort()).toEqual([
    "gone",
    "gone",
    "gone grown",
    "gone grown in a result",
    "input as a query's result",
    "input of a local activity",
  ]);

  // All else is read again: by a worker that remembers nothing, and by the client.
  worker.shutdown();
  await running;
  await startWorker();
  const { memo } = await open.describe();
  expect(memo).toEqual({ note: large("a memo"), changed: `${large("input")} of the changed memo` });
  expect(await closed.result()).toEqual(result);
  expect(await chain.result()).toBe(`${large("chain")}21`);
  expect(await client.activity.getHandle("alone").result()).toBe(`${large("alone")} grown`);
  await client.schedule.getHandle("yearly").trigger();
  expect(await scheduled()).toMatchObject({ large: `${large("scheduled")} grown` });
  await open.signal("finish");
  expect(await open.result()).toHaveLength(151);
}, 120_000);

test("a namespace that is not there ends a sweep, and so does a claim whose bucket has no place", async () => {
  const sources = (more: object) => [temporalReferences(client.workflowService, { url, ...more })];
  const checked = (more: object) => fsck({ storage, sources: sources(more), layout });
  await expect(checked({ namespace: "other" })).rejects.toMatchObject({ code: "NotFound" });
  await expect(checked({ bucket: "other" })).rejects.toThrow(/PermissionDenied.*"payloads"/);
});
