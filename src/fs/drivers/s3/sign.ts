/** Links and forms that their holder can use without credentials. */
import { failure, invalid } from "../../../errors.js";
import { responsePairs } from "../../driver/content.js";
import type {
  DriverPostOptions,
  DriverSignedPost,
  DriverSignedUrl,
  DriverSignOptions,
  ResponseHeaders,
} from "../../driver/driver.js";
import { encodeKey, presign, presignPost } from "../../signing/sigv4.js";
import type { Bucket, S3Client } from "./client.js";

/** Maximum validity of a signed request in seconds. */
const WEEK = 7 * 24 * 60 * 60;

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html#API_GetObject_RequestSyntax */
const RESPONSE_QUERY: Readonly<Record<keyof ResponseHeaders, string>> = {
  contentType: "response-content-type",
  cacheControl: "response-cache-control",
  contentDisposition: "response-content-disposition",
  contentEncoding: "response-content-encoding",
  contentLanguage: "response-content-language",
};

/** Returns a URL that lets any holder send this request until it expires. */
export async function presigned(client: S3Client, key: string, request: DriverSignOptions): Promise<DriverSignedUrl> {
  const { method, expiresIn, contentType, contentLength, responseHeaders = {} } = request;
  checkExpiry(expiresIn);
  const { origin, path, keys, common, signer, now } = await client.signing();
  if (!keys) throw failure("Unauthenticated", "an anonymous connection cannot sign");
  const signable = { method, host: origin.host, path: path + encodeKey(key), query: "" };
  const headers: Record<string, string> = {
    ...(contentType !== undefined && { "content-type": contentType }),
    ...(contentLength !== undefined && { "content-length": String(contentLength) }),
  };
  const more = responsePairs(responseHeaders, RESPONSE_QUERY);
  const target = presign(signer, signable, [...Object.entries(common), ...more], keys, now, expiresIn, headers);
  return { url: `${origin.protocol}//${origin.host}${target}`, headers };
}

/** Returns a form that lets any holder upload one object of this key, or below this prefix, until it expires. */
export async function presignedPost(
  { name, client }: Bucket & { client: S3Client },
  key: string,
  request: DriverPostOptions,
): Promise<DriverSignedPost> {
  const { expiresIn, minBytes, maxBytes, contentType, prefix } = request;
  checkExpiry(expiresIn);
  const { origin, path, keys, signer, now } = await client.signing();
  if (!keys) throw failure("Unauthenticated", "an anonymous connection cannot sign");
  const conditions = [
    { bucket: name },
    prefix ? ["starts-with", "$key", key] : { key },
    ["content-length-range", minBytes, maxBytes],
    ...(contentType === undefined ? [] : [{ "content-type": contentType }]),
  ];
  const signed = presignPost(signer, { conditions, expires: new Date(now + expiresIn * 1000) }, keys, now);
  const type = contentType === undefined ? {} : { "content-type": contentType };
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the service replaces it by the name of the file
  const fields = { key: prefix ? `${key}${"${filename}"}` : key, ...type, ...signed };
  return { url: `${origin.protocol}//${origin.host}${path.replace(/\/$/, "")}`, fields };
}

function checkExpiry(expiresIn: number): void {
  if (expiresIn > WEEK) throw invalid(`expiresIn is at most ${WEEK} seconds`);
}
