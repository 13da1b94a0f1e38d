/** A stand-in for Airflow's REST API that keeps rows in memory, and whose every response a test can replace. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Row {
  dag_id: string;
  run_id: string;
  task_id: string;
  map_index: number;
  key: string;
  value: unknown;
  timestamp: string;
}

export interface Call {
  method: string;
  url: URL;
  authorization: string | undefined;
  body: string;
}

/** Another response than the stand-in's own: its status, its body (text as it is, else JSON) and headers. */
export interface Answer {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

/** What a test puts in place of the stand-in's own answer; undefined lets that through. */
export type Override = (call: Call, own: () => Answer) => Answer | undefined | Promise<Answer | undefined>;

export interface AirflowApi {
  endpoint: string;
  rows: Row[];
  calls: Call[];
  override: Override;
  /** Most rows of a page, whatever the limit asks for. */
  pageLimit: number;
  close(): Promise<void>;
}

export async function startAirflowApi(): Promise<AirflowApi> {
  const api: AirflowApi = {
    endpoint: "",
    rows: [],
    calls: [],
    override: () => undefined,
    pageLimit: 100,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  const server = createServer((request, response) => void respond(api, request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  api.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return api;
}

let clock = 0;

export function row(more: Partial<Row> = {}): Row {
  clock += 1;
  const timestamp = new Date(1_767_225_600_000 + clock).toISOString();
  return { dag_id: "d", run_id: "r", task_id: "t", map_index: -1, key: "k", value: 1, timestamp, ...more };
}

async function respond(api: AirflowApi, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const call: Call = {
    method: request.method ?? "",
    url: new URL(request.url ?? "", "http://airflow"),
    authorization: request.headers.authorization,
    body: Buffer.concat(chunks).toString(),
  };
  api.calls.push(call);
  const own = () => answerOf(api, call);
  const { status, body, headers = {} } = (await api.override(call, own)) ?? own();
  const text = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(status === 204 ? undefined : text);
}

const ENTRIES = /^\/api\/v2\/dags\/([^/]+)\/dagRuns\/([^/]+)\/taskInstances\/([^/]+)\/xcomEntries(?:\/(.+))?$/;

function answerOf(api: AirflowApi, { method, url, body }: Call): Answer {
  const parts = ENTRIES.exec(url.pathname)
    ?.slice(1)
    .map((part) => part && decodeURIComponent(part));
  if (!parts) return { status: 404, body: { detail: "Not Found" } };
  const [dag_id, run_id, task_id, key] = parts as [string, string, string, string | undefined];
  if (key === undefined && method === "GET") return listing(api, { dag_id, run_id, task_id }, url.searchParams);
  const sent = body ? (JSON.parse(body) as { key?: string; value: unknown; map_index: number }) : undefined;
  const map_index = sent?.map_index ?? Number(url.searchParams.get("map_index") ?? -1);
  const at = { dag_id, run_id, task_id, map_index, key: key ?? sent?.key ?? "" };
  const index = api.rows.findIndex((each) =>
    Object.entries(at).every(([name, value]) => each[name as keyof Row] === value),
  );
  if (method === "POST") {
    if (index >= 0) return { status: 409, body: { detail: "The XCom already exists." } };
    api.rows.push(row({ ...at, value: sent!.value }));
    return { status: 201, body: api.rows.at(-1) };
  }
  if (index < 0) return { status: 404, body: { detail: `XCom entry with key: \`${key}\` not found` } };
  if (method === "GET") return { status: 200, body: api.rows[index] };
  if (method === "DELETE") {
    api.rows.splice(index, 1);
    return { status: 204 };
  }
  api.rows[index] = row({ ...at, value: sent!.value });
  return { status: 200, body: api.rows[index] };
}

function listing(api: AirflowApi, ids: Partial<Row>, query: URLSearchParams): Answer {
  const [mapIndex, key] = [query.get("map_index"), query.get("xcom_key")];
  const found = api.rows.filter((each) => {
    const same = Object.entries(ids).every(([name, id]) => id === "~" || each[name as keyof Row] === id);
    return same && (mapIndex === null || each.map_index === Number(mapIndex)) && (key === null || each.key === key);
  });
  const offset = Number(query.get("offset") ?? 0);
  const limit = Math.min(Number(query.get("limit") ?? 50), api.pageLimit);
  const page = found.slice(offset, offset + limit).map(({ value: _, ...rest }) => rest);
  return { status: 200, body: { xcom_entries: page, total_entries: found.length } };
}
