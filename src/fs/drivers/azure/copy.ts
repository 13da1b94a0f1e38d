/** Copies inside the account, by the service itself and mostly at once. */
import type { IncomingHttpHeaders } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { failure } from "../../../errors.js";
import { commitUnknown } from "../../driver/ambiguous-write.js";
import { headerValue } from "../../driver/content.js";
import type { DriverCopyOptions, ObjectAttributes, WriteResult } from "../../driver/driver.js";
import { HttpError, unexpectedResponse } from "../../http/errors.js";
import { readTags } from "./attributes.js";
import type { Server } from "./client.js";
import { metadataHeaders, placeHeaders, writeResultOf } from "./object.js";

interface Progress {
  /** Id of the copy that created, or creates, the object. */
  id: string | undefined;
  status: string | undefined;
  description: string | undefined;
  result: WriteResult;
}

/** Milliseconds between checks of a copy that takes longer. */
const POLL = 250;

export async function copyObject(route: CopyRequests, options: DriverCopyOptions): Promise<WriteResult> {
  try {
    return await settled(route, await route.begin(options), options.signal);
  } catch (error) {
    // The existing object may be our own, from an attempt whose response was lost.
    const ours = options.ifAbsent && error instanceof HttpError && error.ambiguous && error.status === 409;
    throw ours ? commitUnknown(error) : error;
  }
}

async function settled(route: CopyRequests, begun: Progress, signal: AbortSignal | undefined): Promise<WriteResult> {
  let now = begun;
  try {
    while (now.status === "pending") {
      await sleep(POLL, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted());
      now = await route.look(signal);
      if (now.id !== begun.id) throw failure("Unavailable", "another write has replaced the copy");
    }
  } catch (error) {
    if (begun.id !== undefined) await abandon(route, begun.id);
    throw error;
  }
  if (now.status === "success") return now.result;
  throw failure("Unavailable", `the service gave up the copy: ${now.description ?? "no reason given"}`);
}

/** Aborts an abandoned copy, and deletes the empty object that the service leaves in its place. */
async function abandon(route: CopyRequests, id: string): Promise<void> {
  try {
    await route.stop(id);
    const { id: last, result } = await route.look(undefined);
    if (last === id && result.etag !== undefined) await route.drop(result.etag);
  } catch {}
}

/** Options of cleanup requests. */
const TIDY = { signal: undefined, maxAttempts: 2 };

/** The requests that copy to one key. */
export class CopyRequests {
  constructor(
    readonly server: Server,
    readonly from: { bucket: string; key: string },
    readonly key: string,
  ) {}

  async begin({ ifAbsent, ifMatch, attributes, signal }: DriverCopyOptions): Promise<Progress> {
    const { server, from, key } = this;
    // Refuses keys that the service would change before the first request.
    server.path(key);
    const { tags, metadata, storageClass } = attributes ?? { tags: await this.#tags(ifMatch, signal) };
    const headers = {
      ...metadataHeaders(metadata),
      ...placeHeaders({ tags, storageClass }),
      "x-ms-copy-source": server.address(from.key, from.bucket),
      "x-ms-source-if-match": ifMatch,
      ...server.encryption.create,
      "if-none-match": ifAbsent ? "*" : undefined,
    };
    const answer = await server.text({ method: "PUT", key, headers, signal, statuses: [202] });
    const begun = progressIn(answer.headers);
    if (begun.status !== undefined && begun.result.etag) return begun;
    throw unexpectedResponse("PUT", answer.status, "the answer to the copy has no status of it, or no ETag");
  }

  /** Returns the tags of the source, which alone of its attributes the service does not copy. */
  async #tags(ifMatch: string | undefined, signal: AbortSignal | undefined): Promise<ObjectAttributes["tags"]> {
    const { server, from } = this;
    const head = await server.text({ method: "HEAD", ...from, headers: { "if-match": ifMatch }, signal });
    return head.headers["x-ms-tag-count"] === undefined ? undefined : readTags(server, from, undefined, signal);
  }

  /** Returns the progress, from the object at the target. */
  async look(signal: AbortSignal | undefined): Promise<Progress> {
    return progressIn((await this.server.text({ method: "HEAD", key: this.key, signal })).headers);
  }

  async stop(copyid: string): Promise<void> {
    const headers = { "x-ms-copy-action": "abort" };
    await this.server.text({
      method: "PUT",
      key: this.key,
      query: { comp: "copy", copyid },
      headers,
      ...TIDY,
      statuses: [204],
    });
  }

  /** Deletes the object with this etag. */
  async drop(etag: string): Promise<void> {
    await this.server.text({ method: "DELETE", key: this.key, headers: { "if-match": etag }, ...TIDY });
  }
}

function progressIn(headers: IncomingHttpHeaders): Progress {
  return {
    id: headerValue(headers["x-ms-copy-id"]),
    status: headerValue(headers["x-ms-copy-status"]),
    description: headerValue(headers["x-ms-copy-status-description"]),
    result: writeResultOf(headers),
  };
}
