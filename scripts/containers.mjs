/**
 * `npm run test:containers`: runs the server tests and the contract on servers in containers. Needs a Docker API; on an
 * older Node it takes Node 22 from npm.
 */
import { spawn } from "node:child_process";
import { whyNoContainers } from "../test/servers/containers.mjs";
import { nodeBinary } from "./node-versions.mjs";
import { CONTRACTS } from "./stages.mjs";

const old = Number(process.versions.node.split(".")[0]) < 22;
const reason = old ? undefined : whyNoContainers();
if (reason) {
  console.error(`SKIPPED: ${reason}; CONTRIBUTING.md says how to have one`);
  process.exit(1);
}
const script = old
  ? ["scripts/containers.mjs"]
  : ["node_modules/vitest/vitest.mjs", "run", "test/conformance/servers.test.ts", ...CONTRACTS];
// Without containers these tests must fail, not skip.
const env = { ...process.env, STOWAGE_TEST_SERVERS: "containers", CI: "true" };
const child = spawn(old ? await nodeBinary(22) : process.execPath, script, { stdio: "inherit", env });
child.on("exit", (code) => process.exit(code ?? 1));
