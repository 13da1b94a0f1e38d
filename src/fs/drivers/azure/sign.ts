/** Links that their holder can use without credentials. */
import { failure } from "../../../errors.js";
import { responsePairs } from "../../driver/content.js";
import type { DriverSignedUrl, DriverSignOptions } from "../../driver/driver.js";
import { serviceSas } from "../../signing/shared-key.js";
import type { Server } from "./client.js";

const PERMISSIONS: Readonly<Record<DriverSignOptions["method"], string>> = {
  GET: "r",
  HEAD: "r",
  PUT: "cw",
  DELETE: "d",
};

/** https://learn.microsoft.com/rest/api/storageservices/create-service-sas#override-response-headers */
const RESPONSE_FIELDS = {
  cacheControl: "rscc",
  contentDisposition: "rscd",
  contentEncoding: "rsce",
  contentLanguage: "rscl",
  contentType: "rsct",
} as const;

export function signedUrl(server: Server, key: string, options: DriverSignOptions): DriverSignedUrl {
  const { method, expiresIn, contentType, contentLength, responseHeaders = {} } = options;
  const { account, bucket, origin, access } = server;
  if (!access.key) throw failure("Unsupported", "only an account key can sign; this connection has none");
  if (contentLength !== undefined) throw failure("Unsupported", "a link of Azure cannot fix the length of an upload");
  const expiry = new Date(server.now() + expiresIn * 1000).toISOString().replace(/\.\d+Z$/, "Z");
  const plain = origin.protocol === "http:";
  const response = Object.fromEntries(responsePairs(responseHeaders, RESPONSE_FIELDS));
  const permissions = PERMISSIONS[method];
  const query = serviceSas(access.key, { account, bucket, key, permissions, expiry, plain, response });
  const headers: Record<string, string> = method === "PUT" ? { "x-ms-blob-type": "BlockBlob" } : {};
  // A SAS covers no header of the request: the holder can send another type.
  if (contentType !== undefined) headers["x-ms-blob-content-type"] = contentType;
  return { url: `${origin.protocol}//${origin.host}${server.path(key)}?${query}`, headers };
}
