/**
 * The memory of `clear` and of an export: `npm run build && node bench/xcom-operations.mjs`, on Linux. Each number runs in
 * a process of its own, beside one of a hundred: the growth is that of the resident memory at its highest. `clear` has
 * rows and objects that are made up as they are read; the export copies files. `--clear=100000` and `--export=10000` give
 * other numbers.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openStorage } from "../dist/index.js";
import { XCom, XComObjectStorageBackend } from "../dist/xcom.js";

const { values } = parseArgs({
  options: {
    clear: { type: "string", default: "100000" },
    export: { type: "string", default: "10000" },
    rows: { type: "string" },
  },
});

const FEW = 100;
const RUN = { dagId: "sales", runId: "scheduled__2026-11-30T00:00:00+00:00" };
const TASK = { ...RUN, taskId: "extract" };
const belowOf = (task, i) =>
  `${RUN.dagId}/${RUN.runId}/${task}/write-00000000-0000-4000-8000-${String(i).padStart(12, "0")}/return_value.json`;

/**
 * Rows of a mapped task, each with a reference; a byte each tells which are gone. Not `{ ...TASK }`: what V8 copies so, it
 * keeps until its next full collection, and the rows made up here, which are garbage at once, would be what is measured.
 */
function rowsOf(count) {
  const gone = new Uint8Array(count);
  const row = (i) => ({
    dagId: TASK.dagId,
    runId: TASK.runId,
    taskId: TASK.taskId,
    mapIndex: i,
    key: "return_value",
    value: `sim://lake@b/xcom/${belowOf("extract", i)}`,
  });
  return {
    get: async ({ mapIndex }) => (gone[mapIndex] ? undefined : row(mapIndex)),
    set: async () => false,
    delete: async ({ mapIndex }) => {
      gone[mapIndex] = 1;
      return true;
    },
    async *list() {
      for (let i = 0; i < count; i++) yield row(i);
    },
  };
}

/** Deletes, and nothing else. */
const bucket = {
  attributes: [],
  attributesOnCopy: [],
  codeOf: () => "Unavailable",
  close: async () => {},
  // As a request would: other work takes its turn.
  delete: () => new Promise((resolve) => setImmediate(resolve)),
};

async function clear(count) {
  const storage = openStorage({
    drivers: [{ schemes: ["sim"], open: () => bucket }],
    connections: { lake: { type: "generic" } },
  });
  const backend = new XComObjectStorageBackend({ storage, path: "sim://lake@b/xcom", threshold: 0 });
  const { rows, objects, left } = await new XCom({ rows: rowsOf(count), backend }).clear(TASK);
  if (rows !== count || objects !== count || left.length > 0) throw new Error("not all rows were cleared");
  await storage.close();
}

/** Runs this Node, and returns the highest resident memory of the process and its seconds. */
async function measured(args, cwd) {
  const child = spawn(process.execPath, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
  const begun = performance.now();
  let peak = 0;
  const watch = setInterval(() => {
    const [, kib] = /VmHWM:\s+(\d+)/.exec(statusOf(child.pid)) ?? [];
    peak = Math.max(peak, Number(kib ?? 0) * 1024);
  }, 10);
  const code = await new Promise((resolve) => child.once("exit", resolve));
  clearInterval(watch);
  if (code !== 0) throw new Error(`it ended with ${code}`);
  return { peak, seconds: (performance.now() - begun) / 1000 };
}

function statusOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}

const mib = (bytes) => `${Math.round(bytes / 2 ** 20)} MiB`;

async function row(what, count, argsOf) {
  const few = await measured(...argsOf(FEW));
  const all = await measured(...argsOf(count));
  const growth = mib(all.peak - few.peak);
  console.log(
    `| ${what} | ${count.toLocaleString("en-US")} | ${all.seconds.toFixed(1)} | ${mib(few.peak)} | ${growth} |`,
  );
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), "stowage-bench-"));
  const filled = (count) => {
    for (let i = 0; i < count; i++) {
      const file = join(folder, `${count}/xcom`, belowOf(`task_${i % 100}`, i));
      mkdirSync(join(file, ".."), { recursive: true });
      writeFileSync(file, JSON.stringify({ rows: "x".repeat(4000), i }));
    }
    return `file://${folder}/${count}/xcom`;
  };
  const cli = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
  try {
    console.log("| operation | XComs | seconds | resident memory with 100 | growth |");
    console.log("|---|---|---|---|---|");
    await row("clear", Number(values.clear), (count) => [[fileURLToPath(import.meta.url), `--rows=${count}`], folder]);
    await row("export", Number(values.export), (count) => [
      [cli, "xcom", "export", filled(count), "--to", `file://${folder}/${count}/to`],
      folder,
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (values.rows === undefined) await main();
else await clear(Number(values.rows));
