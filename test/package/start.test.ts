/** A bundled program starts fast and does not linger, on every supported Node. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nodeBinary } from "../../scripts/node-versions.mjs";
import { openStorage } from "../../src/open.js";
import { describeOn, useBucket } from "../servers/use.js";
import { bundled, GET, keysAndBase } from "../support/bundled.js";
import { MAIN } from "../support/command.js";
import { type Installed, installed } from "../support/installed.js";

const NODES: [string, () => Promise<string>][] = [
  ["this Node", async () => process.execPath],
  ["Node 22", () => nodeBinary(22)],
  ["Node 24", () => nodeBinary(24)],
];

test("the command reads a SQLite database on Node 22 without the warning that this is an experiment", async () => {
  const node = await nodeBinary(22);
  const folder = await mkdtemp(join(tmpdir(), "stowage-start-"));
  const file = join(folder, "airflow.db");
  const columns = "dag_run_id, dag_id, run_id, task_id, map_index, key, value";
  const fill = `const db = new (require("node:sqlite").DatabaseSync)(process.argv[1]);
    db.exec("CREATE TABLE xcom (${columns}); INSERT INTO xcom VALUES (1, 'd', 'r', 't', -1, 'k', '1')");`;
  execFileSync(node, ["--no-warnings", "-e", fill, file]);
  const { stdout, stderr } = spawnSync(node, [MAIN, "xcom", "ls", "--json", "--database", file], { encoding: "utf8" });
  expect([stderr, JSON.parse(stdout)]).toEqual(["", expect.objectContaining({ dagId: "d", value: 1 })]);
  await rm(folder, { recursive: true, force: true });
});

await describeOn("minio", "a program of one small get", (server) => {
  const bucket = useBucket(server);
  let project: Installed;
  let folder: string;
  let bare: string;
  let get: string;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    project = await installed();
    folder = await mkdtemp(join(tmpdir(), "stowage-start-"));
    bare = join(folder, "bare.mjs");
    await writeFile(bare, 'console.log("text")');
    get = await bundled(project.folder, join(folder, "get.mjs"), true, GET);
    env = { PATH: process.env.PATH, ...keysAndBase(server, `s3://${bucket().name}/start`) };
    const storage = openStorage({ connections: { it: server.connection } });
    await storage.write(`s3://it@${bucket().name}/start/small`, "text");
    await storage.close();
  });
  afterAll(async () => {
    await project?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  test.each(NODES)("starts, gets and ends within 40 ms of processor time of bare Node, on %s", async (_, binary) => {
    const node = await binary();
    const costs = () => {
      const [none, ours] = [starting(node, bare, env), starting(node, get, env)];
      return [ours.cpu - none.cpu, ours.linger] as const;
    };
    let [used, lingered] = costs();
    // Another load of the machine may last for ten runs.
    for (let tries = 1; (used >= 40 || lingered >= 100) && tries < 5; tries++) [used, lingered] = costs();
    console.log(`one small get: ${used.toFixed(1)} ms over bare Node, ended ${lingered.toFixed(1)} ms later`);
    expect(used).toBeLessThan(40);
    expect(lingered).toBeLessThan(100);
  });
});

/** Says at its end how much processor time a process took, and how long it went on after its last line. */
const TOLD = `data:text/javascript,${encodeURIComponent(`
  let last = 0;
  const write = process.stdout.write;
  process.stdout.write = (...args) => { last = performance.now(); return write.apply(process.stdout, args); };
  process.on("exit", () => {
    const { user, system } = process.cpuUsage();
    process.stderr.write(JSON.stringify({ cpu: (user + system) / 1000, linger: performance.now() - last }));
  });
`)}`;

/** The least of ten runs in milliseconds: the load of the machine only adds to it. */
function starting(node: string, file: string, env: NodeJS.ProcessEnv): { cpu: number; linger: number } {
  const runs = Array.from({ length: 10 }, () => {
    const shell = ["-c", 'exec "$0" --import "$1" "$2" 2>&1 >/dev/null', node, TOLD, file];
    return JSON.parse(execFileSync("sh", shell, { env, encoding: "utf8" })) as { cpu: number; linger: number };
  });
  const least = (of: "cpu" | "linger") => Math.min(...runs.map((one) => one[of]));
  return { cpu: least("cpu"), linger: least("linger") };
}
