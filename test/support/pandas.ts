/** A Python with pandas, pyarrow, polars and DuckDB, of exact versions. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { describe, test } from "vitest";
import { pythonWith } from "./environment.mjs";

const LIST = new URL("pandas.txt", import.meta.url).pathname;

export interface Pandas {
  /** Runs Python with `pd`, `pa`, `np` and the names of `scope`; the JSON of what it has assigned to `result`. */
  run(code: string, scope?: Record<string, unknown>): Promise<never>;
  /** Sends one request to the script; its result. */
  ask(request: object): Promise<never>;
  stop(): Promise<void>;
}

/** A `describe` whose body gets pandas; skipped with the reason where it cannot be had and CI does not forbid it. */
export async function describePandas(
  title: string,
  body: (pandas: () => Pandas, python: string) => void,
  script = "dataframes.py",
) {
  let python: string;
  try {
    python = await pythonWith(LIST);
  } catch (error) {
    if (process.env.CI) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    console.error(`\n*** SKIPPED: ${title}: no pandas here: ${reason} ***\n`);
    describe(title, () => test.skip(`skipped, ${reason.split("\n")[0]}`));
    return;
  }
  describe(title, () => {
    let pandas: Pandas | undefined;
    const started = () => {
      pandas ??= startPandas(python, script);
      return pandas;
    };
    body(started, python);
    test("Python ends", async () => pandas?.stop());
  });
}

function startPandas(python: string, name: string): Pandas {
  const script = new URL(name, import.meta.url).pathname;
  const child: ChildProcess = spawn(python, [script], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface(child.stdout!)[Symbol.asyncIterator]();
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  async function ask(request: object): Promise<never> {
    child.stdin!.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error("Python has ended");
    const answer = JSON.parse(value) as { result: never; error?: string; trace?: string };
    if (answer.error !== undefined) throw new Error(`${answer.error}\n${answer.trace}`);
    return answer.result;
  }
  return {
    run: (code, scope = {}) => ask({ ...scope, code }),
    ask,
    async stop() {
      child.stdin!.end();
      await ended;
    },
  };
}
