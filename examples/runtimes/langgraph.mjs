// A graph with a document of 1 MB in its state: the checkpointer keeps references, and deleting the thread its objects.
import assert from "node:assert/strict";
import { Annotation, MemorySaver, START, StateGraph } from "@langchain/langgraph";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { openStorage } from "stowage";
import { offload } from "stowage/langgraph";
import { objects, show } from "./objects.mjs";

const { DATABASE_URL } = process.env;
const saver = DATABASE_URL ? PostgresSaver.fromConnString(DATABASE_URL) : new MemorySaver();
if (DATABASE_URL) await saver.setup();

const storage = openStorage();
const checkpointer = offload(saver, { storage, path: `${objects}/langgraph` });

const State = Annotation.Root({ document: Annotation(), summary: Annotation() });
const app = new StateGraph(State)
  .addNode("load", () => ({ document: "a long document ".repeat(65_536) }))
  .addNode("summarize", ({ document }) => ({ summary: `${document.length} characters` }))
  .addEdge(START, "load")
  .addEdge("load", "summarize")
  .compile({ checkpointer });

const config = { configurable: { thread_id: "1" } };
const { summary } = await app.invoke({}, config);
await show(storage);

let states = 0;
for await (const { values } of app.getStateHistory(config)) {
  assert.ok(!values.summary || values.document.length === 1_048_576);
  states += 1;
}
console.log(`${summary}, in ${states} states`);
assert.equal(summary, "1048576 characters");

await checkpointer.deleteThread("1");
for await (const { path } of storage.list(objects, { recursive: true })) assert.fail(`${path} is left`);
console.log("the thread is deleted, and its objects with it");
await storage.close();
if (DATABASE_URL) await saver.end();
