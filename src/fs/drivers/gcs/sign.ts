/** Links and forms that their holder can use without credentials. */
import { failure } from "../../../errors.js";
import { responsePairs } from "../../driver/content.js";
import type {
  DriverPostOptions,
  DriverSignedPost,
  DriverSignedUrl,
  DriverSignOptions,
  ResponseHeaders,
} from "../../driver/driver.js";
import { signGcs, signGcsPost } from "../../signing/gcs-v4.js";
import type { Server } from "./client.js";

/** The response headers that a link can set: https://cloud.google.com/storage/docs/xml-api/reference-headers */
const RESPONSE_QUERY: Partial<Record<keyof ResponseHeaders, string>> = {
  contentType: "response-content-type",
  contentDisposition: "response-content-disposition",
};

export function checkResponseHeaders(headers: ResponseHeaders): void {
  for (const name of Object.keys(headers) as (keyof ResponseHeaders)[]) {
    if (RESPONSE_QUERY[name] === undefined)
      throw failure("Unsupported", `a link of GCS sets contentType and contentDisposition of a response, not ${name}`);
  }
}

/** Returns the headers of an upload that a link fixes. */
export function uploadHeaders({ contentType, contentLength }: DriverSignOptions): Record<string, string> {
  return {
    ...(contentType !== undefined && { "content-type": contentType }),
    ...(contentLength !== undefined && { "x-goog-content-length-range": `${contentLength},${contentLength}` }),
  };
}

export async function signedUrl(server: Server, key: string, options: DriverSignOptions): Promise<DriverSignedUrl> {
  const { method, expiresIn, responseHeaders = {} } = options;
  checkResponseHeaders(responseHeaders);
  const { bucket, payer } = server.place;
  const { email, sign } = await server.tokens.signer();
  const headers = uploadHeaders(options);
  const more = responsePairs(responseHeaders, RESPONSE_QUERY);
  const place = { endpoint: server.origin, bucket, key, payer };
  const url = await signGcs({ ...place, method, expiresIn, headers, more, email, now: server.now(), sign });
  return { url, headers };
}

export async function signedPost(server: Server, key: string, options: DriverPostOptions): Promise<DriverSignedPost> {
  const { expiresIn, minBytes, maxBytes, contentType, prefix } = options;
  const { bucket } = server.place;
  const { email, sign } = await server.tokens.signer();
  const conditions = [
    { bucket },
    prefix ? ["starts-with", "$key", key] : { key },
    ["content-length-range", minBytes, maxBytes],
    ...(contentType === undefined ? [] : [{ "content-type": contentType }]),
  ];
  const now = server.now();
  const signed = await signGcsPost({ conditions, expires: new Date(now + expiresIn * 1000), now, email, sign });
  const type = contentType === undefined ? {} : { "content-type": contentType };
  const { protocol, host, base } = server.origin;
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the service replaces it by the name of the file
  const fields = { key: prefix ? `${key}${"${filename}"}` : key, ...type, ...signed };
  return { url: `${protocol}//${host}${base}/${bucket}`, fields };
}
