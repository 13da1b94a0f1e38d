// A workflow with values of 1 MB: DBOS's tables hold references.
import assert from "node:assert/strict";
import { DBOS } from "@dbos-inc/dbos-sdk";
import { openStorage } from "stowage";
import { offloadSerializer } from "stowage/dbos";
import { objects, show } from "./objects.mjs";

const systemDatabaseUrl = process.env.DATABASE_URL;
assert.ok(systemDatabaseUrl, "set DATABASE_URL to a database of Postgres");

const storage = openStorage();
const serializer = offloadSerializer({ storage, path: `${objects}/dbos` });
DBOS.setConfig({ name: "stowage-example", systemDatabaseUrl, serializer, logLevel: "error" });

const upper = DBOS.registerStep(async (text) => text.toUpperCase(), { name: "upper" });
const report = DBOS.registerWorkflow(async (text) => `${await upper(text)}!`, { name: "report" });
await DBOS.launch();

const handle = await DBOS.startWorkflow(report)("a row of the input ".repeat(50_000));
const result = await handle.getResult();
assert.equal(result.length, 950_001);
await show(storage);

const { input } = await handle.getStatus();
assert.equal(input[0].length, 950_000);
console.log("input, step and result are objects, and came back whole");
await DBOS.shutdown();
await storage.close();
