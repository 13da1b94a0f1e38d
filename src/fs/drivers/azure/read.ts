import { single } from "../../../streams.js";
import { parseContentRange, rangeHeader, sizeFrom } from "../../driver/content.js";
import type { DriverReadOptions, DriverReadResult, DriverStatOptions, ObjectInfo } from "../../driver/driver.js";
import type { Server } from "./client.js";
import { blobFieldsIn, infoOf } from "./object.js";

/** The service refuses every range of an empty object. */
const WHOLE: readonly number[] = [200, 416];
const RANGED: readonly number[] = [206, 200, 416];

export async function statObject(
  server: Server,
  key: string,
  { version, signal, ifMatch }: DriverStatOptions & { ifMatch?: string | undefined },
): Promise<ObjectInfo> {
  const headers = { ...server.encryption.use, "if-match": ifMatch };
  const answer = await server.send({ method: "HEAD", key, query: { versionid: version }, headers, signal });
  return infoOf(key, sizeFrom(answer.headers["content-length"]), blobFieldsIn(answer.headers));
}

export async function readObject(server: Server, key: string, options: DriverReadOptions): Promise<DriverReadResult> {
  const { start, end, ifMatch, version, signal } = options;
  const range = rangeHeader(start, end);
  const headers = { ...server.encryption.use, range, "if-match": ifMatch };
  const answer = await server.send({
    method: "GET",
    key,
    query: { versionid: version },
    headers,
    signal,
    statuses: range === undefined ? WHOLE : RANGED,
  });
  if (answer.status === 416) {
    answer.body.discard();
    // The range starts past the end, or the object is empty, where every range is refused.
    return { info: await statObject(server, key, options), body: single(new Uint8Array(0)) };
  }
  try {
    const { size, length } = parseContentRange(answer, range === undefined ? undefined : { start, end });
    answer.body.expect(length);
    const info = infoOf(key, size, blobFieldsIn(answer.headers));
    return { info, body: answer.body, attempts: answer.attempts };
  } catch (error) {
    answer.body.discard();
    throw error;
  }
}
