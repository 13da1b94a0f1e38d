/** The packed package works through every bundler, and on Bun and Deno, as docs/guides/bundlers.md says. */
import { spawn } from "node:child_process";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bunBinary, denoBinary } from "../../../scripts/node-versions.mjs";
import { describeOn, useBucket } from "../../servers/use.js";
import { FILE, MEMORY } from "../../support/backends.js";
import { type Installed, installed, manifest, run } from "../../support/installed.js";
import { bundlers } from "./install.mjs";

const { peerDependencies = {} } = await manifest();
/** Deno reads packages from node_modules and asks no registry. */
const DENO = ["run", "--allow-all", "--no-remote", "--node-modules-dir=manual"];

/** What `uses()` of project/uses.mjs sees in a location. */
const USED = {
  texts: ["one two three"],
  names: ["a.txt", "a.txt.gz", "a.txt.zst", "b.txt", "b.txt.gz", "b.txt.zst"],
  large: true,
  refused: ["AlreadyExists", true, true],
  left: false,
};

await describeOn("minio", "bundlers and runtimes", (server) => {
  const bucket = useBucket(server);
  let project: Installed;
  let tool: (name: string) => string;

  beforeAll(async () => {
    const folder = await bundlers();
    tool = (name) => join(folder, "node_modules/.bin", name);
    // Below the bundlers, so that what is in its own node_modules is the package and what it depends on.
    project = await installed(folder);
    await cp(join(import.meta.dirname, "project"), project.folder, { recursive: true });
  });
  afterAll(() => project?.remove());

  function environment(): NodeJS.ProcessEnv {
    const bases = ["memory://bucket/base", `file://${project.folder}/data`, `s3://it@${bucket().name}/base`];
    const { PATH, HOME, TMPDIR } = process.env;
    const place = JSON.stringify({ connections: { it: server.connection }, bases });
    return { PATH, HOME, ...(TMPDIR && { TMPDIR }), PLACE: place, NEXT_TELEMETRY_DISABLED: "1", NO_COLOR: "1" };
  }
  function checkUsed(answer: string): void {
    const { used, missing, codec } = JSON.parse(answer);
    expect(used).toEqual({ memory: USED, file: USED, s3: USED });
    expect(missing).toContain("npm install google-auth-library");
    expect(codec).toBe("gzip");
  }
  async function inProject(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
    const options = { cwd: project.folder, env: { ...environment(), ...env } };
    const { stdout, stderr } = await run(command, args, options).catch((error) => {
      throw new Error(`${error.message}\n${error.stdout}`);
    });
    return stdout + stderr;
  }

  test.each([
    ["webpack", () => [process.execPath, "webpack.mjs"]],
    ["rollup", () => [tool("rollup"), "--config", "rollup.config.mjs"]],
    ["vite", () => [tool("vite"), "build"]],
  ])("%s bundles everything but optional packages that are not installed", async (name, command) => {
    const [program = "", ...args] = command();
    const output = await inProject(program, args);
    const unresolved = [...output.matchAll(/Can't resolve '([^']+)'|([\w@/-]+) \(imported by/g)];
    for (const [, ofWebpack, ofRollup] of unresolved) expect(peerDependencies).toHaveProperty([ofWebpack ?? ofRollup!]);
    expect(output).not.toMatch(/circular|error in/i);
    checkUsed(await inProject(process.execPath, [`out/${name}/main.mjs`]));
  });

  test("Next.js builds and serves route handlers and server components", async () => {
    await inProject(tool("next"), ["build"]);
    const options = { cwd: project.folder, env: environment() };
    const child = spawn(tool("next"), ["start", "--hostname", "127.0.0.1", "--port", "0"], options);
    try {
      const url = await addressIn(child.stdout);
      checkUsed(await (await fetch(`${url}/objects`)).text());
      expect(await (await fetch(url)).text()).toContain("<p>a server component</p>");
    } finally {
      const ended = new Promise((done) => child.once("exit", done));
      child.kill();
      await ended;
    }
  });

  describe.each([
    ["Bun", bunBinary, []],
    ["Deno", denoBinary, DENO],
  ] as const)("%s", (_, binary, args) => {
    test("runs a program", async () => checkUsed(await inProject(await binary(), [...args, "main.mjs"])));
    test("keeps the driver contract on memory and files", async () => {
      const env = { LACKS: JSON.stringify({ memory: MEMORY.lacks, file: FILE.lacks }) };
      const { cases, failed } = JSON.parse(await inProject(await binary(), [...args, "contract.mjs"], env));
      expect(failed).toEqual([]);
      expect(cases).toBeGreaterThan(200);
    });
    test("runs the command", async () => {
      const cli = "node_modules/stowage/dist/cli/main.js";
      const path = `s3://it@${bucket().name}/from-the-command.txt.gz`;
      const env = { AIRFLOW_CONN_IT: JSON.stringify(connectionOf(server.connection)) };
      await inProject(await binary(), [...args, cli, "cp", "main.mjs", path], env);
      expect(await inProject(await binary(), [...args, cli, "cat", path], env)).toContain("await uses()");
    });
  });
});

/** The form of Airflow's environment variables. */
function connectionOf({ type, ...fields }: { type: string }): unknown {
  return { conn_type: type, ...fields };
}

/** The address that a server prints when it is ready. */
async function addressIn(stream: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stream })) {
    const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
    if (url) return url;
  }
  throw new Error("the server ended before it was ready");
}
