import { failure } from "../../../errors.js";
import { single } from "../../../streams.js";
import { headerValue, parseContentRange, parseSuffixRange, rangeHeader } from "../../driver/content.js";
import type {
  DriverReadOptions,
  DriverReadResult,
  DriverStatOptions,
  DriverSuffixOptions,
  ObjectInfo,
} from "../../driver/driver.js";
import type { HttpResponse } from "../../http/types.js";
import { encodeComponent } from "../../signing/sigv4.js";
import { checkKey, type GcsRequest, type Server } from "./client.js";
import { generationOf, INFO_FIELDS, infoOf, infoOfHeaders } from "./object.js";

export async function statObject(
  api: Server,
  key: string,
  { version, signal }: DriverStatOptions,
  ifMatch?: string,
): Promise<ObjectInfo> {
  const query = { fields: INFO_FIELDS, generation: version, ifGenerationMatch: generationOf(ifMatch) };
  const headers = api.place.keys?.read ?? {};
  const resource = await api.json({ method: "GET", path: api.objects(key), query, headers, signal });
  return infoOf(key, resource);
}

/** Reads data as stored: does not unpack an object with `Content-Encoding: gzip`. */
export async function readObject(server: Server, key: string, options: DriverReadOptions): Promise<DriverReadResult> {
  const { start, end } = options;
  const range = rangeHeader(start, end);
  return requested(server, key, options, range, (answer) =>
    parseContentRange(withLength(answer), range === undefined ? undefined : { start, end }),
  );
}

/** Reads the last bytes. */
export function readLast(
  server: Server,
  key: string,
  last: number,
  options: DriverSuffixOptions,
): Promise<DriverReadResult> {
  const all = { ...options, start: 0, end: undefined };
  return requested(server, key, all, `bytes=-${last}`, (answer) => parseSuffixRange(answer, last));
}

async function requested(
  server: Server,
  key: string,
  options: DriverReadOptions,
  range: string | undefined,
  parse: (answer: HttpResponse) => { size: number; length: number },
): Promise<DriverReadResult> {
  const answer = await server.send(media(server, key, options, range));
  if (answer.status === 416) return pastTheEnd(server, key, options, answer);
  try {
    const { size, length } = parse(answer);
    const info = infoOfHeaders(key, answer.headers, size);
    matched(info, options.ifMatch);
    answer.body.expect(length);
    return { info, body: answer.body, attempts: answer.attempts };
  } catch (error) {
    answer.body.discard();
    throw error;
  }
}

const WHOLE: readonly number[] = [200, 416];
const RANGED: readonly number[] = [206, 200, 416];

function media(server: Server, key: string, options: DriverReadOptions, range: string | undefined): GcsRequest {
  const { version: generation, signal } = options;
  const match = generationOf(options.ifMatch);
  const headers = { "accept-encoding": "gzip", ...(range && { range }), ...server.place.keys?.read };
  const common = { method: "GET", signal, statuses: range === undefined ? WHOLE : RANGED };
  if (!server.place.google) {
    const query = { alt: "media", generation, ifGenerationMatch: match };
    return { ...common, path: server.objects(key), query, headers };
  }
  const path = `${server.place.base}/${encodeComponent(server.place.bucket)}/${encodeComponent(checkKey(key))}`;
  const condition = match === undefined ? {} : { "x-goog-if-generation-match": match };
  return { ...common, path, query: { generation }, headers: { ...headers, ...condition } };
}

/** Uses the stored length for a chunked response without a range, which states none. */
function withLength(answer: HttpResponse): HttpResponse {
  const stored = headerValue(answer.headers["x-goog-stored-content-length"]);
  if (stored === undefined || answer.headers["content-length"] !== undefined) return answer;
  return { ...answer, headers: { ...answer.headers, "content-length": stored } };
}

/** Checks the response itself, since emulators ignore conditions on reads. */
export function matched({ etag }: ObjectInfo, ifMatch: string | undefined): void {
  if (ifMatch === undefined || ifMatch === etag) return;
  throw failure("PreconditionFailed", `the etag is ${etag}, not ${ifMatch}`);
}

/** Requests the metadata, since the response to a range past the end does not describe the object. */
async function pastTheEnd(server: Server, key: string, options: DriverReadOptions, answer: HttpResponse) {
  answer.body.discard();
  const info = await statObject(server, key, options, options.ifMatch);
  matched(info, options.ifMatch);
  if (info.size > options.start) throw failure("ObjectChanged", "the object grew while it was read");
  return { info, body: single(new Uint8Array(0)) };
}
