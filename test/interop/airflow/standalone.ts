/** A whole Airflow on this machine: scheduler, API server, Dag processor, and tasks as processes. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { nodeBinary } from "../../../scripts/node-versions.mjs";
import { freePort } from "../../servers/process.mjs";
import { airflowPython } from "./environment.js";

/** A task instance as the REST API tells it. */
export interface TaskState {
  task_id: string;
  map_index: number;
  try_number: number;
  state: string | null;
}

export interface Standalone {
  endpoint: string;
  token(): Promise<string>;
  /** Starts a run of a Dag, as soon as the Dag is known. */
  trigger(dagId: string, runId: string): Promise<void>;
  /** Waits for the end of a run: its state. */
  finished(dagId: string, runId: string): Promise<string>;
  tasks(dagId: string, runId: string): Promise<TaskState[]>;
  /** Marks a task instance as failed, as a person does in the UI. */
  fail(dagId: string, runId: string, taskId: string): Promise<void>;
  /** The messages that an attempt of a task logged. */
  log(dagId: string, runId: string, taskId: string, at?: { mapIndex?: number; attempt?: number }): Promise<string[]>;
  stop(): Promise<void>;
}

type Env = Record<string, string>;

/** The environment in which Airflow and its tasks run: Python with that list of packages, Node 22, nothing else. */
export async function baseEnv(list: string, home: string): Promise<Env> {
  const folders = [
    dirname(await airflowPython(list)),
    dirname(await nodeBinary(22)),
    "/usr/local/bin",
    "/usr/bin",
    "/bin",
  ];
  return { PATH: folders.join(":"), HOME: home, AIRFLOW_HOME: home, LANG: "C.UTF-8" };
}

/** What a file of `export` lines makes of an environment. */
export async function sourced(file: string, env: Env): Promise<Env> {
  const script = ["-c", '. "$0" >&2 && env -0', file];
  const { stdout } = await promisify(execFile)("bash", script, { env, cwd: dirname(file) });
  return Object.fromEntries(
    stdout
      .split("\0")
      .filter(Boolean)
      .map((line) => split(line)),
  );
}

function split(line: string): [string, string] {
  const at = line.indexOf("=");
  return [line.slice(0, at), line.slice(at + 1)];
}

export async function startStandalone(env: Env): Promise<Standalone> {
  const home = env.AIRFLOW_HOME!;
  await mkdir(home, { recursive: true });
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  const server = spawn("airflow", ["standalone"], {
    env: { ...env, ...(await addresses(endpoint)) },
    cwd: home,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = createWriteStream(join(home, "standalone.log"));
  for (const stream of [server.stdout, server.stderr]) stream.pipe(output, { end: false });
  const gone = once(server, "exit");
  const end = (signal: NodeJS.Signals) => ended(server.pid!, signal);
  process.once("exit", () => end("SIGKILL"));
  const api = new Api(endpoint);
  await api.ready(server);
  return {
    endpoint,
    token: () => api.token(),
    trigger: (dagId, runId) => api.trigger(dagId, runId),
    finished: (dagId, runId) => api.finished(dagId, runId),
    tasks: (dagId, runId) => api.tasks(dagId, runId),
    fail: (dagId, runId, taskId) => api.fail(dagId, runId, taskId),
    log: (dagId, runId, taskId, at) => logged(home, dagId, runId, taskId, at),
    async stop() {
      end("SIGTERM");
      await Promise.race([gone, setTimeout(20_000, undefined, { ref: false })]);
      end("SIGKILL");
    },
  };
}

/** A signal for the server and all that it has started; those that are gone do not mind. */
function ended(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {}
}

async function addresses(endpoint: string): Promise<Env> {
  const ports = [await freePort(), await freePort()];
  return {
    AIRFLOW__API__HOST: "127.0.0.1",
    AIRFLOW__API__PORT: new URL(endpoint).port,
    AIRFLOW__API__BASE_URL: endpoint,
    AIRFLOW__API__WORKERS: "1",
    AIRFLOW__CORE__EXECUTION_API_SERVER_URL: `${endpoint}/execution/`,
    AIRFLOW__CORE__PARALLELISM: "4",
    AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT: String(ports[0]),
    AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT: String(ports[1]),
    AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC: "1",
  };
}

/** Airflow's REST API, as far as the tests drive it. */
class Api {
  #token: Promise<string> | undefined;

  constructor(readonly endpoint: string) {}

  token(): Promise<string> {
    this.#token ??= fetch(`${this.endpoint}/auth/token`)
      .then((answer) => answer.json())
      .then((body) => (body as { access_token: string }).access_token);
    return this.#token;
  }

  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const headers = { authorization: `Bearer ${await this.token()}`, "content-type": "application/json" };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const answer = await fetch(`${this.endpoint}/api/v2${path}`, init);
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json() as Promise<T>;
  }

  async ready(server: { exitCode: number | null }): Promise<void> {
    await until("Airflow answers", 240, async () => {
      if (server.exitCode !== null) throw new Error(`airflow standalone ended with ${server.exitCode}`);
      const answer = await fetch(`${this.endpoint}/api/v2/monitor/health`).catch(() => undefined);
      return answer?.ok;
    });
  }

  async trigger(dagId: string, runId: string): Promise<void> {
    const body = { dag_run_id: runId, logical_date: null };
    await until(`the Dag ${dagId} is known`, 120, () =>
      this.call("POST", `/dags/${dagId}/dagRuns`, body).then(
        () => true,
        (error: Error) => (/: 404 /.test(error.message) ? false : Promise.reject(error)),
      ),
    );
  }

  async finished(dagId: string, runId: string): Promise<string> {
    let state = "";
    await until(`${dagId} ${runId} ends`, 300, async () => {
      ({ state } = await this.call<{ state: string }>("GET", `/dags/${dagId}/dagRuns/${runId}`));
      return state === "success" || state === "failed";
    });
    return state;
  }

  async tasks(dagId: string, runId: string): Promise<TaskState[]> {
    const path = `/dags/${dagId}/dagRuns/${runId}/taskInstances`;
    return (await this.call<{ task_instances: TaskState[] }>("GET", path)).task_instances;
  }

  async fail(dagId: string, runId: string, taskId: string): Promise<void> {
    await this.call("PATCH", `/dags/${dagId}/dagRuns/${runId}/taskInstances/${taskId}`, { new_state: "failed" });
  }
}

/** Asks until the answer is true, for at most so many seconds. */
export async function until(what: string, seconds: number, ask: () => Promise<boolean | undefined>): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await ask())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
    await setTimeout(300);
  }
}

async function logged(
  home: string,
  dagId: string,
  runId: string,
  taskId: string,
  { mapIndex = -1, attempt = 1 }: { mapIndex?: number; attempt?: number } = {},
): Promise<string[]> {
  const folders = [`dag_id=${dagId}`, `run_id=${runId}`, `task_id=${taskId}`];
  if (mapIndex >= 0) folders.push(`map_index=${mapIndex}`);
  const text = await readFile(join(home, "logs", ...folders, `attempt=${attempt}.log`), "utf8");
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { event: string; error?: string })
    .map(({ event, error }) => (error === undefined ? event : `${event}: ${error}`));
}
