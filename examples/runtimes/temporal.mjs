// A workflow with values of 3 MB, above Temporal's limit of 2 MiB, and a check of the namespace's references.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Client, Connection } from "@temporalio/client";
import { ExternalStorage } from "@temporalio/common";
import { NativeConnection, Worker } from "@temporalio/worker";
import { openStorage } from "stowage";
import { claimsLayout } from "stowage/claims";
import { temporalDriver, temporalReferences } from "stowage/temporal";
import { fsck } from "stowage/xcom";
import { objects, show } from "./objects.mjs";

const address = process.env.TEMPORAL_ADDRESS ?? "127.0.0.1:7233";
const taskQueue = "stowage-example";
const url = `${objects}/temporal`;

const storage = openStorage();
const driver = temporalDriver({ storage, url, refreshAfter: "12h" });
const dataConverter = { externalStorage: new ExternalStorage({ drivers: [driver] }) };

const worker = await Worker.create({
  connection: await NativeConnection.connect({ address }),
  taskQueue,
  workflowsPath: fileURLToPath(new URL("./temporal/workflows.mjs", import.meta.url)),
  dataConverter,
  activities: {
    load: async (size) => "x".repeat(size),
    count: async (rows) => rows.length,
  },
});
const connection = await Connection.connect({ address });
const client = new Client({ connection, dataConverter });

const workflowId = `report-${Date.now()}`;
const { rows, count } = await worker.runUntil(
  client.workflow.execute("report", { workflowId, taskQueue, args: [3_000_000] }),
);
assert.deepEqual([rows.length, count], [3_000_000, 3_000_000]);
await show(storage);

const { history } = await client.workflowService.getWorkflowExecutionHistory({
  namespace: "default",
  execution: { workflowId },
});
console.log(`the history has ${JSON.stringify(history).length} characters`);

const sources = [temporalReferences(client.workflowService, { url })];
const problems = [];
// The namespace keeps the workflows of earlier runs, whose objects were in another folder.
const onProblem = ({ where, problem }) => where.includes(workflowId) && problems.push(problem);
const { checked } = await fsck({ storage, sources, layout: claimsLayout(), deep: true, onProblem });
console.log(`${checked} references, ${problems.length} problems of ${workflowId}`);
assert.deepEqual([checked > 0, problems], [true, []]);
await connection.close();
await storage.close();
