import type { Secret } from "../../connections/index.js";
import { type ErrorCode, failure, invalid, isStorageError, type StorageError } from "../../errors.js";
import { codeOfHttp, type HttpClient, HttpError, openHttp, originOf } from "../../fs/http/index.js";
import { orAbort } from "../../streams.js";
import { jsonEncoding } from "../encoding/airflow.js";
import { isPlain } from "../encoding/encoding.js";
import { parseJson } from "../encoding/json-read.js";
import type { RunFinder } from "./airflow-database.js";
import { agreesWith, checkFilter, type RowFilter, type RowKey, type XComRow, type XComRows } from "./rows.js";

export interface RestRowsOptions {
  /** The URL of Airflow's API server: `https://airflow.example.com`. */
  endpoint: string;
  /**
   * A bearer token, or a function that returns one. When the server refuses the last token, the function is called
   * again, once for all pending calls; it has 60 seconds.
   */
  token: string | Secret | (() => string | Secret | Promise<string | Secret>);
}

export interface RestRows extends XComRows {
  /** Finds the run of a logical date, for `clear`. */
  findRun: RunFinder;
  /** Closes the sockets. */
  close(): void;
}

/** Entries per page, whose values are fetched concurrently because a listing has none. A server may send fewer. */
const PAGE = 50;

/** Maximum consecutive pages without a new row: a server that ignores `offset` would send them for ever. */
const MAX_STALE_PAGES = 8;

/** Maximum consecutive passes from the front without a new row, although some are missing: others may come and go. */
const MAX_VAIN_PASSES = 3;

/** Airflow's wildcard for an id in the path of a listing; it is also a legal run id. */
const WILDCARD = "~";

/**
 * Opens the rows of Airflow's public REST API v2. Airflow refuses values with its own keys (`__classname__` and so on),
 * also in JSON text inside a string; they throw InvalidArgument before any request. Objects can hold such values.
 *
 * A response that is not Airflow's (another status, no JSON, the row of another task), for example a proxy's, is
 * Corrupt: it never triggers a deletion. The API has no conditional writes. A read right before the write checks the
 * condition; a write in between goes unnoticed.
 */
export async function restRows({ endpoint, token }: RestRowsOptions): Promise<RestRows> {
  const api = new RowsApi(new ApiClient(endpoint, await httpOf(endpoint), new BearerToken(token)));
  return {
    get: (at, { signal } = {}) => api.get(at, signal),
    set: (at, value, { ifVersion, ifAbsent, signal } = {}) => api.set(at, value, { ifVersion, ifAbsent }, signal),
    delete: (at, { ifVersion, signal } = {}) => api.delete(at, ifVersion, signal),
    list: (filter = {}, { signal } = {}) => api.list(filter, signal),
    findRun: (dagId, logicalDate, { signal } = {}) => api.findRun(dagId, logicalDate, signal),
    close: () => api.client.close(),
  };
}

class RowsApi {
  constructor(readonly client: ApiClient) {}

  async get(at: RowKey, signal?: AbortSignal): Promise<XComRow | undefined> {
    const path = `${indexed(at)}&stringify=false&deserialize=false`;
    const entry = await this.client.call("GET", path, { expect: [200], absent: true, signal });
    if (!entry) return undefined;
    const found = entryKey(entry);
    if (!isAt(found, at)) throw entry.corrupt(`the row is of ${describe(found)}, asked for was ${describe(at)}`);
    return { ...found, value: entry.required("value"), version: entry.text("timestamp") };
  }

  async set(
    at: RowKey,
    value: unknown,
    { ifVersion, ifAbsent }: { ifVersion: string | undefined; ifAbsent: boolean | undefined },
    signal?: AbortSignal,
  ): Promise<boolean> {
    checkReserved(value);
    if (ifVersion !== undefined && (await this.get(at, signal))?.version !== ifVersion) return false;
    if (ifVersion !== undefined) return this.#patch(at, value, signal);
    const { key, mapIndex = -1 } = at;
    const body = { key, value, map_index: mapIndex };
    const made = await this.client.call("POST", entriesOf(at), { body, expect: [201], conflict: true, signal });
    if (made) return checkWritten(made, at);
    return ifAbsent ? false : this.#patch(at, value, signal);
  }

  async #patch(at: RowKey, value: unknown, signal: AbortSignal | undefined): Promise<boolean> {
    const body = { value, map_index: at.mapIndex ?? -1 };
    const written = await this.client.call("PATCH", entryOf(at), { body, expect: [200], absent: true, signal });
    return written ? checkWritten(written, at) : false;
  }

  async delete(at: RowKey, ifVersion: string | undefined, signal?: AbortSignal): Promise<boolean> {
    if (ifVersion !== undefined && (await this.get(at, signal))?.version !== ifVersion) return false;
    return this.client.deleted(indexed(at), signal);
  }

  /**
   * Advances by the number of rows received, since a server may cap the page below the limit, until it reaches
   * `total_entries`. The last row of a page comes again as the first of the next one. If it does not, rows in front of it
   * have gone, and others moved to their places: the listing goes back, so that it skips none.
   */
  async *list(filter: RowFilter, signal?: AbortSignal): AsyncGenerator<XComRow> {
    checkFilter(filter);
    const path = listingPath(filter);
    const seen = new Set<string>();
    const isSeen = (key: RowKey) => seen.has(JSON.stringify(key));
    let previous = 0;
    // No row comes twice from a server that sends one at a time.
    let overlap = 0;
    // Since the listing began at the front: the rows that it found, and those that have to come again.
    let [found, repeated] = [0, 0];
    for (let next = 0, stale = 0, vain = 0; ; ) {
      const offset = Math.max(0, next - overlap);
      const { keys, total, page } = await this.#page(`${path}&offset=${offset}`, filter, signal);
      const isConnected =
        offset === 0 || (overlap === 0 ? total >= previous : keys[0] !== undefined && isSeen(keys[0]));
      // Of a page that does not follow, nothing is taken: what is known stays without a gap.
      const fresh = isConnected ? keys.filter((key) => !isSeen(key)) : [];
      for (const key of fresh) seen.add(JSON.stringify(key));
      const rows = await Promise.all(fresh.map((key) => this.get(key, signal)));
      for (const row of rows) if (row) yield row;
      if (keys.length > 1) overlap = 1;
      found += fresh.length;
      const reached = isConnected ? offset + keys.length : Math.max(0, offset - PAGE);
      repeated = Math.max(0, repeated - (reached - next));
      next = reached;
      if (next > total && keys.length > 0 && total >= previous)
        throw page.corrupt(`total_entries is ${total}, and there are ${next} rows`);
      if (isConnected && next >= total && seen.size >= total) return;
      if (keys.length === 0 && offset < total)
        throw page.corrupt(`total_entries is ${total}, and no row is at ${offset}`);
      if (isConnected && next >= total) {
        // The count is complete, but rows are missing: they have moved, or the server ignores the offset.
        vain = found === 0 ? vain + 1 : 0;
        if (vain > MAX_VAIN_PASSES) throw page.corrupt(`total_entries is ${total}, and there are ${seen.size} rows`);
        [next, found, repeated] = [0, 0, seen.size];
      }
      previous = total;
      if (fresh.length > 0) stale = 0;
      else if (!isConnected || repeated === 0) stale += 1;
      if (stale > MAX_STALE_PAGES) throw page.corrupt("the server sends the same rows again and again");
    }
  }

  async #page(path: string, filter: RowFilter, signal: AbortSignal | undefined) {
    const page = (await this.client.call("GET", path, { expect: [200], signal }))!;
    const keys = page.list("xcom_entries").map(entryKey);
    const other = keys.find((key) => !agreesWith(key, filter));
    if (other) throw page.corrupt(`a row is of ${describe(other)}, which is not what was asked for`);
    return { keys, total: page.integer("total_entries"), page };
  }

  async findRun(dagId: string, logicalDate: string, signal?: AbortSignal): Promise<string | undefined> {
    checkWildcard({ dagId });
    const query = new URLSearchParams({ logical_date_gte: logicalDate, logical_date_lte: logicalDate, limit: "1" });
    const path = `/dags/${encodeURIComponent(dagId)}/dagRuns?${query}`;
    const [run] = (await this.client.call("GET", path, { expect: [200], signal }))!.list("dag_runs");
    if (!run) return undefined;
    if (run.text("dag_id") !== dagId) throw run.corrupt(`the run is of the Dag ${run.text("dag_id")}, not of ${dagId}`);
    return run.text("dag_run_id");
  }
}

function listingPath(filter: RowFilter): string {
  const { dagId = WILDCARD, runId = WILDCARD, taskId = WILDCARD, mapIndex, key } = filter;
  checkWildcard({ dagId: filter.dagId, runId: filter.runId, taskId: filter.taskId });
  const query = new URLSearchParams({ limit: String(PAGE) });
  if (mapIndex !== undefined) query.set("map_index", String(mapIndex));
  if (key !== undefined) query.set("xcom_key", key);
  return `${entriesOf({ dagId, runId, taskId })}?${query}`;
}

/** A filter for the run `~` would match all runs. */
function checkWildcard(ids: Record<string, string | undefined>): void {
  const name = Object.keys(ids).find((each) => ids[each] === WILDCARD);
  if (!name) return;
  throw invalid(`${name} "~" means every one to Airflow's REST API; use rows of the database for the one with this id`);
}

function checkWritten(written: Document, at: RowKey): true {
  const found = entryKey(written);
  if (isAt(found, at)) return true;
  throw written.corrupt(`the row that was written is of ${describe(found)}, not of ${describe(at)}`);
}

function isAt(found: RowKey, at: RowKey): boolean {
  return agreesWith(found, { ...at, mapIndex: at.mapIndex ?? -1 });
}

function entryKey(entry: Document): RowKey & { mapIndex: number } {
  return {
    dagId: entry.text("dag_id"),
    runId: entry.text("run_id"),
    taskId: entry.text("task_id"),
    mapIndex: entry.integer("map_index"),
    key: entry.text("key"),
  };
}

function describe({ dagId, runId, taskId, mapIndex = -1, key }: RowKey): string {
  return JSON.stringify([dagId, runId, taskId, mapIndex, key]).slice(0, 300);
}

/** A JSON object of a response, with checked access to its fields. */
class Document {
  constructor(
    readonly from: string,
    readonly fields: Readonly<Record<string, unknown>>,
  ) {}

  required(name: string): unknown {
    if (!Object.hasOwn(this.fields, name)) throw this.corrupt(`the field ${name} is missing`);
    return this.fields[name];
  }

  text(name: string): string {
    const value = this.required(name);
    if (typeof value !== "string") throw this.corrupt(`the field ${name} is not a string`);
    return value;
  }

  integer(name: string): number {
    const value = this.required(name);
    if (!Number.isSafeInteger(value)) throw this.corrupt(`the field ${name} is not an integer`);
    return value as number;
  }

  list(name: string): Document[] {
    const value = this.required(name);
    if (!Array.isArray(value)) throw this.corrupt(`the field ${name} is not an array`);
    return value.map((item) => documentOf(`${name} of ${this.from}`, item));
  }

  corrupt(detail: string): StorageError {
    return failure("Corrupt", `the response to ${this.from} is not Airflow's: ${detail}`);
  }
}

function documentOf(from: string, value: unknown): Document {
  if (typeof value === "object" && value !== null && isPlain(value)) return new Document(from, { ...value });
  throw new Document(from, {}).corrupt("it is not a JSON object");
}

function documentIn(from: string, text: string): Document {
  let value: unknown;
  try {
    value = parseJson(text, jsonEncoding);
  } catch {
    throw new Document(from, {}).corrupt("it is not JSON; is the endpoint that of Airflow's API server?");
  }
  return documentOf(from, value);
}

interface CallOptions {
  body?: unknown;
  /** The statuses of success. */
  expect: readonly number[];
  /** Whether a 404 from Airflow is a valid response: undefined. */
  absent?: boolean;
  /** Whether a 409 from Airflow is a valid response: undefined. */
  conflict?: boolean;
  signal: AbortSignal | undefined;
}

/** Sends requests with a token and checks each status. */
class ApiClient {
  readonly #origin;

  constructor(
    endpoint: string,
    readonly http: HttpClient,
    readonly token: BearerToken,
  ) {
    this.#origin = originOf(endpoint);
  }

  /** Returns the document of the response; undefined for a 404 or 409 that the call accepts. */
  async call(method: string, path: string, options: CallOptions): Promise<Document | undefined> {
    const { expect, absent = false, conflict = false } = options;
    const passed = [...(absent ? [404] : []), ...(conflict ? [409] : [])];
    const { status, text } = await this.#send(method, path, options, passed);
    const document = documentIn(describeRequest(method, path), text);
    if (expect.includes(status)) return document;
    if (!passed.includes(status)) throw document.corrupt(`its status is ${status}`);
    checkDetail(document, status);
    return undefined;
  }

  /**
   * Returns whether the server deleted the resource: yes for 204, no for Airflow's own 404, unless an earlier try of
   * this call may have deleted it.
   */
  async deleted(path: string, signal: AbortSignal | undefined): Promise<boolean> {
    const { status, text, ambiguous } = await this.#send("DELETE", path, { expect: [204], signal }, [404]);
    if (status === 204) return true;
    const from = describeRequest("DELETE", path);
    if (status !== 404)
      throw new Document(from, {}).corrupt(`its status is ${status}; nothing says that the row is gone`);
    checkDetail(documentIn(from, text), status);
    // An earlier try, whose response was lost, may have deleted the resource.
    return ambiguous;
  }

  close(): void {
    this.http.close();
  }

  async #send(method: string, path: string, { body, signal }: CallOptions, passed: readonly number[]) {
    try {
      return await this.#try(method, path, body, [...REFUSED.keys(), ...passed], signal);
    } catch (error) {
      throw asStorageError(error);
    }
  }

  async #try(method: string, path: string, body: unknown, accept: readonly number[], signal?: AbortSignal) {
    const data = body === undefined ? undefined : Buffer.from(bodyText(body));
    const type = data === undefined ? {} : { "content-type": "application/json" };
    for (let renewed = false; ; renewed = true) {
      const authorization = await this.token.get(signal);
      const headers = { accept: "application/json", authorization, ...type };
      const full = `${this.#origin.base}/api/v2${path}`;
      const prepare = () => ({ method, origin: this.#origin, path: full, headers, body: data });
      const answer = await this.http.text({ prepare, signal, accept });
      const refused = REFUSED.get(answer.status);
      if (!refused) return answer;
      if (renewed || !this.token.renew(authorization)) throw failure(...refused);
    }
  }
}

/** Accepts `{ "detail": "…" }`, but not a server's generic 404 or a proxy's page. */
function checkDetail(document: Document, status: number): void {
  const detail = document.fields.detail;
  if (typeof detail === "string" && detail !== "Not Found") return;
  throw document.corrupt(
    `its status ${status} does not come from Airflow's XComs; check the endpoint and what is before it`,
  );
}

function bodyText(body: unknown): string {
  try {
    return JSON.stringify(body);
  } catch (cause) {
    throw invalid("the value is not JSON; let a backend store it (`storeValue`), and set what it returns", { cause });
  }
}

function describeRequest(method: string, path: string): string {
  return `${method} ${path.replace(/\?.*$/, "")}`;
}

const TOKEN_TIMEOUT_MS = 60_000;

/** The token of all calls: fetched once, even if many calls find the last one refused at the same time. */
class BearerToken {
  #current: Promise<string> | undefined;
  #last: string | undefined;

  constructor(readonly source: RestRowsOptions["token"]) {}

  /** Returns the header's value. A caller's abort ends only its own wait. */
  get(signal: AbortSignal | undefined): Promise<string> {
    return orAbort(this.#current ?? this.#start(), signal);
  }

  #start(): Promise<string> {
    const fetching = this.#fetch();
    this.#current = fetching;
    fetching.catch(() => {
      if (this.#current === fetching) this.#current = undefined;
    });
    return fetching;
  }

  /** Returns whether a token other than this refused one may be available. */
  renew(refused: string): boolean {
    if (typeof this.source !== "function") return false;
    if (this.#last === refused) {
      this.#last = undefined;
      this.#current = undefined;
    }
    return true;
  }

  async #fetch(): Promise<string> {
    try {
      const token = typeof this.source === "function" ? await inTime(this.source()) : this.source;
      const text = typeof token === "string" ? token : token?.reveal?.();
      if (typeof text !== "string" || text === "")
        throw invalid("token must be a string or a Secret, or a function that returns one");
      this.#last = `Bearer ${text}`;
      return this.#last;
    } catch (cause) {
      if (isStorageError(cause)) throw cause;
      throw failure("Unauthenticated", "the token function failed", { cause });
    }
  }
}

async function inTime<T>(promise: T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const detail = `the token function has not answered within ${TOKEN_TIMEOUT_MS / 1000} s`;
    timer = setTimeout(() => reject(failure("Timeout", detail)), TOKEN_TIMEOUT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Some of Airflow's auth managers answer 403 to a token that they do not accept. */
const REFUSED: ReadonlyMap<number, [ErrorCode, string]> = new Map([
  [401, ["Unauthenticated", "Airflow does not accept the token"]],
  [403, ["PermissionDenied", "Airflow does not allow it with this token, or does not accept the token"]],
]);

function httpOf(endpoint: string): Promise<HttpClient> {
  const parseError = (_status: number, _headers: unknown, text: string) => ({ detail: text });
  return openHttp({ protocol: originOf(endpoint).protocol, service: { parseError } });
}

function entriesOf({ dagId, runId, taskId }: Pick<RowKey, "dagId" | "runId" | "taskId">): string {
  const [dag, run, task] = [dagId, runId, taskId].map(encodeURIComponent);
  return `/dags/${dag}/dagRuns/${run}/taskInstances/${task}/xcomEntries`;
}

function entryOf(at: RowKey): string {
  return `${entriesOf(at)}/${encodeURIComponent(at.key)}`;
}

function indexed(at: RowKey): string {
  return `${entryOf(at)}?map_index=${at.mapIndex ?? -1}`;
}
function asStorageError(error: unknown): unknown {
  if (isStorageError(error) || !(error instanceof HttpError)) return error;
  const code = codeOfHttp(error) ?? "Unavailable";
  return failure(code, error.message, { attempts: error.attempts, cause: error });
}

/** Keys that Airflow's API refuses in any object of a value. */
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
  const fix = "let the value become an object, by a lower threshold, or send it as plain JSON";
  throw invalid(`Airflow's REST API takes no value with the key ${key}; ${fix}`);
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

/** Returns the array or object that a string encodes as JSON. */
function containerIn(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
