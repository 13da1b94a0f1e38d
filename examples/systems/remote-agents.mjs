// Two agents, each a process in a separate folder, that share values only through the bucket.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openStorage, XComObjectStorageBackend } from "stowage";
import { listStoredXComs, REMOTE_AGENT_OPTIONS } from "stowage/xcom";
import { base } from "./lib/place.mjs";

const owner = { dagId: "sales", runId: "manual__2026-11-21T00:00:00+00:00", taskId: "extract" };
const orders = Array.from({ length: 5000 }, (_, id) => ({ id, amount: id / 4 }));

const storage = openStorage();
const xcom = new XComObjectStorageBackend({ ...REMOTE_AGENT_OPTIONS, storage, path: base });

const roles = {
  /** Stores two values; the small one becomes an object too. */
  async push() {
    await xcom.storeValue(owner, "orders", orders);
    await xcom.storeValue(owner, "count", orders.length);
  },
  /** Finds the other agent's values by their ids, without a database or a message from that agent. */
  async pull() {
    const found = {};
    for await (const { key, path } of listStoredXComs({ storage, path: base, base }, owner))
      found[key] = await xcom.loadValue(String(path), { owner });
    assert.deepEqual(found, { orders, count: orders.length });
    console.log(`found ${Object.keys(found).sort().join(" and ")}`);
  },
  async both() {
    for (const role of ["push", "pull"]) assert.equal(await agent(role), 0, `the agent ${role} failed`);
  },
};

async function agent(role) {
  const cwd = await mkdtemp(join(tmpdir(), `stowage-${role}-`));
  // The two processes share nothing but the base path.
  const child = fork(fileURLToPath(import.meta.url), [role], { cwd, env: { ...process.env, XCOM_PATH: base } });
  return new Promise((resolve) => child.on("close", resolve));
}

await roles[process.argv[2] ?? "both"]();
await storage.close();
