/** Runs a durable function in the SDK's local runner, on Node 22, and prints the sizes of its checkpoints. */
import { withDurableExecution } from "@aws/durable-execution-sdk-js";
import { LocalDurableTestRunner } from "@aws/durable-execution-sdk-js-testing";
import { openStorage } from "stowage";
import { Claims } from "stowage/claims";
import { claimsSerdes } from "./lambda-durable.mjs";

const storage = openStorage({ env: {} });
const claims = new Claims({ storage, path: "memory://recipes/lambda", threshold: 100_000 });
const handlerFunction = withDurableExecution(async (event, context) => {
  context.configureSerdes({ defaultSerdes: claimsSerdes(claims) });
  const large = await context.step("grow", async () => "x".repeat(event.length));
  await context.wait({ seconds: 1 });
  return context.step("end", async () => `${large}!`);
});

await LocalDurableTestRunner.setupTestEnvironment({ skipTime: true });
const execution = await new LocalDurableTestRunner({ handlerFunction }).run({ payload: { length: 400_000 } });
const operations = execution.getOperations();
let objects = 0;
for await (const _ of storage.list("memory://recipes/lambda", { recursive: true })) objects += 1;
const checkpoints = operations.map((operation) => JSON.stringify(operation.getOperationData() ?? "").length);
console.log(
  JSON.stringify({ status: execution.getStatus(), checkpoints, length: execution.getResult().length, objects }),
);
await LocalDurableTestRunner.teardownTestEnvironment();
process.exit(0);
