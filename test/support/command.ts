/**
 * The built `stowage` command as a process of its own:
 *
 *     const { code, stdout, stderr } = await stowage(["ls", "reports"], { cwd });
 *
 * It sees no variable of the tests' own environment, so that nobody's credentials or settings change a test.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";

/** STOWAGE_TEST_DIST names another build than the one in `dist`. */
export const MAIN = resolve(import.meta.dirname, "../..", process.env.STOWAGE_TEST_DIST ?? "dist", "cli/main.js");

export interface Ran {
  /** Null when a signal ended it. */
  code: number | null;
  stdout: string;
  stderr: string;
  /** `stdout` as it came. */
  data: Buffer;
}

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  input?: string | Buffer;
}

/** Runs one command line to its end. */
export function stowage(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = start(args, options);
  child.stdin?.on("error", () => {});
  child.stdin?.end(options.input ?? "");
  return ended(child);
}

/** Starts one and leaves its stdin open. */
export function start(args: readonly string[], { cwd, env = {} }: RunOptions = {}): ChildProcess {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: npm run build`);
  const path = process.env.PATH ?? "";
  return spawn(process.execPath, [MAIN, ...args], { cwd, env: { PATH: path, TZ: "UTC", ...env }, stdio: "pipe" });
}

/** What it said, when it has ended. */
export async function ended(child: ChildProcess): Promise<Ran> {
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout?.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => err.push(chunk));
  const code = await new Promise<number | null>((done) => child.once("close", done));
  const data = Buffer.concat(out);
  return { code, data, stdout: data.toString("utf8"), stderr: Buffer.concat(err).toString("utf8") };
}

/** A connection record as the variable that holds it, and options of a run that sees it. */
export function knowing(id: string, { type, ...rest }: { type: string; [field: string]: unknown }): RunOptions {
  return { env: { [`AIRFLOW_CONN_${id.toUpperCase()}`]: JSON.stringify({ conn_type: type, ...rest }) } };
}

/** Lines of JSON. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .trim()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}
