/** Airflow's backend in a Python of its own, asked by JSON lines. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { airflowPython } from "./environment.js";

export interface Airflow {
  configure(settings: {
    path: string;
    threshold: number;
    compression: string | null;
    connections: Record<string, unknown>;
  }): Promise<void>;
  /** Stores the value of a Python expression; what the row holds. */
  store(value: string, owner: object, key: string): Promise<unknown>;
  /** Loads a row and says whether it is the value of the expression, in type too. */
  load(row: unknown, value: string): Promise<{ equal: boolean; repr: string; type: string }>;
  purge(row: unknown): Promise<void>;
  exists(path: string): Promise<boolean>;
  stop(): Promise<void>;
}

interface Answer {
  result: never;
  error?: string;
  trace?: string;
}

/** Starts the Airflow of that list of packages, with its files in `home`. */
export async function startAirflow(list: string, home: string): Promise<Airflow> {
  const script = new URL("backend.py", import.meta.url).pathname;
  const env = { ...process.env, AIRFLOW_HOME: home, AIRFLOW__CORE__UNIT_TEST_MODE: "False" };
  const python = spawn(await airflowPython(list), [script], { env, stdio: ["pipe", "pipe", "pipe"] });
  const told: string[] = [];
  python.stderr.on("data", (data) => told.push(String(data)));
  const lines = createInterface(python.stdout)[Symbol.asyncIterator]();
  const ended = new Promise<void>((resolve) => python.once("close", () => resolve()));

  async function ask(request: string, parameters: object): Promise<never> {
    python.stdin.write(`${JSON.stringify({ do: request, ...parameters })}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error(`Python ended: ${told.join("").slice(-4000)}`);
    const answer = JSON.parse(value) as Answer;
    if (answer.error !== undefined) throw new Error(`${answer.error}\n${answer.trace}`);
    return answer.result;
  }
  return {
    configure: (settings) => ask("configure", settings),
    store: (value, owner, key) => ask("store", { value, owner, key }),
    load: (row, value) => ask("load", { row, value }),
    purge: (row) => ask("purge", { row }),
    exists: (path) => ask("exists", { path }),
    async stop() {
      python.stdin.end();
      await ended;
    },
  };
}
