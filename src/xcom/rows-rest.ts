import type { Secret } from "../connections/index.js";
import { type ErrorCode, failure, invalid, isStorageError } from "../errors.js";
import { codeOfHttp, type Http, HttpError, openHttp, originOf } from "../fs/http.js";
import type { RowFilter, RowKey, XComRow, XComRows } from "./rows.js";
import type { RunFinder } from "./runs.js";

export interface RestRowsOptions {
  /** Where Airflow's API server answers: `https://airflow.example.com`. */
  endpoint: string;
  /** A bearer token, or what finds one; it is asked again when the server refuses the last. */
  token: string | Secret | (() => string | Secret | Promise<string | Secret>);
}

export interface RestRows extends XComRows {
  /** The run of a logical date, for `clear`. */
  findRun: RunFinder;
  /** Gives back the sockets. */
  close(): void;
}

/** Entries of a page, whose values are fetched at the same time: a listing has none. */
const PAGE = 50;

/**
 * Rows by Airflow's public REST API v2. Airflow refuses values with its own keys (`__classname__` and so on), also in
 * JSON text inside a string; they are InvalidArgument before any request. Objects hold such values without trouble.
 */
export async function restRows({ endpoint, token }: RestRowsOptions): Promise<RestRows> {
  const api = new Api(endpoint, await httpOf(endpoint), token);
  return {
    get: (at, { signal } = {}) => api.get(at, signal),
    async set(at, value, { signal } = {}) {
      checkReserved(value);
      const { key, mapIndex = -1 } = at;
      const made = await api.send("POST", entries(at), { key, value, map_index: mapIndex }, [409], signal);
      if (made.status === 409) await api.send("PATCH", entry(at), { value, map_index: mapIndex }, [], signal);
    },
    async delete(at, { signal } = {}) {
      const { status } = await api.send("DELETE", indexed(at), undefined, [404], signal);
      return status !== 404;
    },
    list: (filter = {}, { signal } = {}) => api.list(filter, signal),
    findRun: (dagId, logicalDate, { signal } = {}) => api.findRun(dagId, logicalDate, signal),
    close: () => api.http.close(),
  };
}

interface ListedEntry {
  dag_id: string;
  run_id: string;
  task_id: string;
  map_index: number;
  key: string;
}

class Api {
  #authorization: string | undefined;
  readonly #origin;
  readonly #token: RestRowsOptions["token"];

  constructor(
    endpoint: string,
    readonly http: Http,
    token: RestRowsOptions["token"],
  ) {
    this.#origin = originOf(endpoint);
    this.#token = token;
  }

  async get(at: RowKey, signal?: AbortSignal): Promise<XComRow | undefined> {
    const path = `${indexed(at)}&stringify=false&deserialize=false`;
    const { status, text } = await this.send("GET", path, undefined, [404], signal);
    if (status === 404) return undefined;
    return { ...at, mapIndex: at.mapIndex ?? -1, value: (JSON.parse(text) as { value: unknown }).value };
  }

  async *list(filter: RowFilter, signal?: AbortSignal): AsyncGenerator<XComRow> {
    const { dagId = "~", runId = "~", taskId = "~", mapIndex, key } = filter;
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (mapIndex !== undefined) query.set("map_index", String(mapIndex));
    if (key !== undefined) query.set("xcom_key", key);
    for (let offset = 0; ; offset += PAGE) {
      const path = `${entries({ dagId, runId, taskId })}?${query}&offset=${offset}`;
      const { text } = await this.send("GET", path, undefined, [], signal);
      const { xcom_entries: page } = JSON.parse(text) as { xcom_entries: ListedEntry[] };
      const rows = await Promise.all(page.map((found) => this.get(keyOf(found), signal)));
      for (const row of rows) if (row) yield row;
      if (page.length < PAGE) return;
    }
  }

  async findRun(dagId: string, logicalDate: string, signal?: AbortSignal): Promise<string | undefined> {
    const query = new URLSearchParams({ logical_date_gte: logicalDate, logical_date_lte: logicalDate, limit: "1" });
    const { text } = await this.send(
      "GET",
      `/dags/${encodeURIComponent(dagId)}/dagRuns?${query}`,
      undefined,
      [],
      signal,
    );
    const { dag_runs: found } = JSON.parse(text) as { dag_runs: { dag_run_id: string }[] };
    return found[0]?.dag_run_id;
  }

  async send(method: string, path: string, body: unknown, accept: readonly number[], signal?: AbortSignal) {
    try {
      return await this.#try(method, path, body, [...REFUSED.keys(), ...accept], signal);
    } catch (error) {
      throw told(error);
    }
  }

  async #try(method: string, path: string, body: unknown, accept: readonly number[], signal?: AbortSignal) {
    for (let renewed = false; ; renewed = true) {
      const headers = { accept: "application/json", authorization: await this.#bearer() };
      const type = body === undefined ? {} : { "content-type": "application/json" };
      const data = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const full = `${this.#origin.base}/api/v2${path}`;
      const prepare = () => ({
        method,
        origin: this.#origin,
        path: full,
        headers: { ...headers, ...type },
        body: data,
      });
      const answer = await this.http.text({ prepare, signal, accept });
      const refused = REFUSED.get(answer.status);
      if (!refused) return answer;
      if (renewed || typeof this.#token !== "function") throw failure(...refused);
      this.#authorization = undefined;
    }
  }

  async #bearer(): Promise<string> {
    if (this.#authorization !== undefined) return this.#authorization;
    const token = typeof this.#token === "function" ? await this.#token() : this.#token;
    this.#authorization = `Bearer ${typeof token === "string" ? token : token.reveal()}`;
    return this.#authorization;
  }
}

/** Some of Airflow's auth managers answer 403 to a token that they do not accept. */
const REFUSED: ReadonlyMap<number, [ErrorCode, string]> = new Map([
  [401, ["Unauthenticated", "Airflow does not accept the token"]],
  [403, ["PermissionDenied", "Airflow does not allow it with this token, or does not accept the token"]],
]);

function httpOf(endpoint: string): Promise<Http> {
  const explain = (_status: number, _headers: unknown, text: string) => ({ detail: text });
  return openHttp({ protocol: originOf(endpoint).protocol, dialect: { explain } });
}

function entries({ dagId, runId, taskId }: Pick<RowKey, "dagId" | "runId" | "taskId">): string {
  const [dag, run, task] = [dagId, runId, taskId].map(encodeURIComponent);
  return `/dags/${dag}/dagRuns/${run}/taskInstances/${task}/xcomEntries`;
}

function entry(at: RowKey): string {
  return `${entries(at)}/${encodeURIComponent(at.key)}`;
}

function indexed(at: RowKey): string {
  return `${entry(at)}?map_index=${at.mapIndex ?? -1}`;
}

function keyOf({ dag_id, run_id, task_id, map_index, key }: ListedEntry): RowKey {
  return { dagId: dag_id, runId: run_id, taskId: task_id, mapIndex: map_index, key };
}

function told(error: unknown): unknown {
  if (isStorageError(error) || !(error instanceof HttpError)) return error;
  const code = codeOfHttp(error) ?? "Unavailable";
  return failure(code, error.message, { attempts: error.attempts, cause: error });
}

/** What Airflow's API refuses as keys of any object of a value. */
const RESERVED: ReadonlySet<string> = new Set([
  "__classname__",
  "__version__",
  "__data__",
  "__id__",
  "__cache__",
  "__type",
  "__source",
  "__var",
]);

function checkReserved(value: unknown): void {
  const key = reservedIn(value);
  if (key === undefined) return;
  const mend = "let the value become an object, by a lower threshold, or send it as plain JSON";
  throw invalid(`Airflow's REST API takes no value with the key ${key}; ${mend}`);
}

function reservedIn(value: unknown): string | undefined {
  const found = typeof value === "string" ? containerIn(value) : value;
  if (typeof found !== "object" || found === null) return undefined;
  const own = Array.isArray(found) ? undefined : Object.keys(found).find((key) => RESERVED.has(key));
  if (own) return own;
  for (const inner of Object.values(found)) {
    const deeper = reservedIn(inner);
    if (deeper) return deeper;
  }
  return undefined;
}

/** The array or object of which a string is the JSON text. */
function containerIn(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
