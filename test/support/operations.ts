import type { IncomingHttpHeaders } from "node:http";

/** What one request to a provider does, in words that S3, GCS and Azure share. */
export type Operation =
  | "read"
  | "stat"
  | "list"
  | "write"
  | "begin"
  | "part"
  | "commit"
  | "abort"
  | "copy"
  | "delete"
  | "deleteBatch"
  | "other";

/** Tells what a request does from its method, path, query and headers; the three protocols do not overlap. */
export function operationOf(method: string, url: URL, headers: IncomingHttpHeaders): Operation {
  if (headers["x-ms-version"] || url.searchParams.has("restype")) return azure(method, url.searchParams, headers);
  if (/^\/(upload\/|batch\/|resumable\/)?storage\/v1|^\/(upload|batch)\//.test(url.pathname)) return gcs(method, url);
  return s3(method, url.searchParams, headers, url.pathname);
}

function s3(method: string, query: URLSearchParams, headers: IncomingHttpHeaders, path: string): Operation {
  if (method === "POST") return s3Post(query);
  if (method === "HEAD") return "stat";
  if (method === "DELETE") return query.has("uploadId") ? "abort" : "delete";
  if (method === "PUT") {
    if (query.has("partNumber")) return "part";
    return headers["x-amz-copy-source"] ? "copy" : "write";
  }
  const bucketOnly = path.split("/").filter(Boolean).length < 2;
  return bucketOnly ? "list" : "read";
}

function s3Post(query: URLSearchParams): Operation {
  if (query.has("uploads")) return "begin";
  if (query.has("uploadId")) return "commit";
  return query.has("delete") ? "deleteBatch" : "other";
}

function gcs(method: string, url: URL): Operation {
  const query = url.searchParams;
  if (url.pathname.startsWith("/batch")) return "deleteBatch";
  if (method === "PUT" && query.has("upload_id")) return "part";
  if (method === "DELETE") return query.has("upload_id") ? "abort" : "delete";
  if (method === "POST" && query.has("uploadType")) return query.get("uploadType") === "resumable" ? "begin" : "write";
  if (method === "POST") return /\/(rewriteTo|copyTo)\//.test(url.pathname) ? "copy" : "other";
  if (method !== "GET") return "other";
  if (/\/o\/?$/.test(url.pathname)) return "list";
  return query.get("alt") === "media" ? "read" : "stat";
}

function azure(method: string, query: URLSearchParams, headers: IncomingHttpHeaders): Operation {
  const comp = query.get("comp");
  if (comp === "list") return "list";
  if (comp === "batch") return "deleteBatch";
  if (comp === "block") return "part";
  if (comp === "blocklist") return method === "PUT" ? "commit" : "other";
  if (comp || query.get("restype") === "container") return "other";
  if (method === "PUT") return headers["x-ms-copy-source"] ? "copy" : "write";
  const others: Record<string, Operation> = { GET: "read", HEAD: "stat", DELETE: "delete" };
  return others[method] ?? "other";
}
