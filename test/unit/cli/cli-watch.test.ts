/** What the commands over many objects show on a terminal while they work: their phase and how far they are. */
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import { openStorage } from "../../../src/index.js";
import { commandInProcess } from "../../support/in-process.js";

let root: string;
let base: string;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "stowage-cli-watch-"));
  base = `file://${root}/xcom`;
  await using storage = openStorage({ env: {} });
  const backend = new XComObjectStorageBackend({ storage, path: base, threshold: 0 });
  const stored: string[] = [];
  for (let i = 0; i < 5; i++)
    stored.push(String(await backend.storeValue({ dagId: "dag", runId: "run", taskId: `t${i}` }, "k", i)));
  for (const path of stored) utimesSync(path.slice("file://".length), 1_767_000_000, 1_767_000_000);
  writeFileSync(join(root, "refs.txt"), `${stored.slice(0, 3).join("\n")}\n`);
  // Every look at the clock is a second later, so that nothing is too short to be shown.
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => {
    now += 1000;
    return now;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(root, { recursive: true, force: true });
});

const COMMANDS: readonly [string, (at: string) => string[], RegExp[]][] = [
  [
    "sweep",
    (at) => ["sweep", at, "--refs", "refs.txt", "--delete"],
    [/listing 5 objects, 5 B/, /reading 3 references/, /comparing .*5 of 5 objects/, /removing .*2 of 2 objects, 2 B/],
  ],
  // Without the path: the two objects without a reference would be problems.
  ["fsck", () => ["fsck", "--refs", "refs.txt"], [/checking 3 references, 3 B/]],
  ["migrate", (at) => ["migrate", at, `${at}-new`, "--refs", "refs.txt"], [/migrating 3 references, 3 B/]],
  ["report", (at) => ["report", at, "--refs", "refs.txt"], [/listing 5 objects, 5 B/, /reading 3 references/]],
];

test.each(COMMANDS)("%s tells its phases on a terminal, and leaves no trace of them", async (_, args, expected) => {
  const { code, stdout, stderr } = await commandInProcess(args(base), { cwd: root, columns: 100 });
  expect(code).toBe(0);
  for (const phase of expected) expect(stderr).toMatch(phase);
  expect(stderr.endsWith("\r\u001b[K")).toBe(true);
  expect(stderr).not.toContain("\n");
  expect(stdout).not.toContain("\r");
});

test.each(COMMANDS)("%s shows nothing of it in a pipe, or with --json", async (_, args) => {
  expect((await commandInProcess(args(base), { cwd: root })).stderr).toBe("");
  const json = await commandInProcess([...args(base), "--json"], { cwd: root, columns: 100 });
  expect(json.stderr).toBe("");
});
