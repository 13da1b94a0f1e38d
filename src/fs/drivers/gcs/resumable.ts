import { failure } from "../../../errors.js";
import type { Receipt } from "../../driver.js";
import { HttpError } from "../../http.js";
import type { Part, Session } from "../../parts.js";
import { one, parsedReceipt } from "./objects.js";
import type { Answer, Api, Call } from "./server.js";

/** How often in a row the service may take nothing of a chunk. */
const FRUITLESS = 5;

/** A session that is over: expired, cancelled, or finished. */
const GONE: ReadonlySet<number> = new Set([404, 410]);
const ENDED: readonly number[] = [499, 204, 200, ...GONE];
/** Made an object of all chunks, or keeps what has come so far. */
const TAKEN: readonly number[] = [200, 201, 308];

/** The receipt of a write that failed with `error` but did happen; else throws. */
type Settle = (error: unknown, signal: AbortSignal | undefined) => Promise<Receipt>;

/**
 * A resumable upload: chunks one after the other, the last of which makes the object.
 * https://cloud.google.com/storage/docs/performing-resumable-uploads
 */
export class Resumable implements Session<void> {
  readonly #api: Api;
  /** Knows the secret of the session, so it never gets into a message. */
  readonly #path: string;
  readonly #settle: Settle;
  #receipt: Receipt | undefined;

  constructor(api: Api, location: string, settle: Settle) {
    this.#api = api;
    this.#settle = settle;
    // The server's own address is kept: what it answers does not decide where the data goes.
    const { pathname, search } = new URL(location, "https://any.invalid");
    this.#path = `${pathname}${search}`;
  }

  async part(part: Part, signal: AbortSignal): Promise<void> {
    if (!part.last) return this.#chunk(part, signal);
    try {
      await this.#chunk(part, signal);
    } catch (error) {
      // The last chunk makes the object.
      this.#receipt = await this.#settle(error, signal);
    }
  }

  async #chunk(part: Part, signal: AbortSignal): Promise<void> {
    const end = part.offset + part.size;
    let fruitless = 0;
    for (let at = part.offset; ; ) {
      const answer = await this.#put(part, at, signal);
      if (answer.status !== 308) {
        this.#receipt = parsedReceipt(answer.text);
        return;
      }
      const reached = persisted(answer);
      fruitless = reached > at ? 0 : fruitless + 1;
      if (reached < part.offset || reached > end || fruitless > FRUITLESS) throw lost();
      if (reached === end && !part.last) return;
      at = reached;
    }
  }

  async commit(): Promise<Receipt> {
    if (!this.#receipt) throw failure("Unavailable", "the server has all data, but made no object of it");
    return this.#receipt;
  }

  async abort(): Promise<void> {
    await this.#api.text({ method: "DELETE", path: this.#path, signal: undefined, statuses: ENDED });
  }

  /** Sends the rest of a chunk; when the line breaks, asks how far the service has got instead of sending it again. */
  async #put(part: Part, at: number, signal: AbortSignal): Promise<Answer> {
    const common = { method: "PUT", path: this.#path, signal, statuses: TAKEN };
    const data = part.data.subarray(at - part.offset);
    const call: Call = { ...common, headers: { "content-range": contentRange(part, at) }, body: data };
    const question: Call = { ...common, headers: { "content-range": "bytes */*" } };
    const retrying = this.#api.place.google ? { again: question } : { tries: 1 };
    try {
      return await this.#api.text({ ...call, ...retrying });
    } catch (error) {
      throw gone(error) ? failure("Unavailable", "the server has forgotten the upload", { cause: error }) : error;
    }
  }
}

function contentRange({ offset, size, last }: Part, at: number): string {
  const end = offset + size;
  const range = at === end ? "*" : `${at}-${end - 1}`;
  return `bytes ${range}/${last ? end : "*"}`;
}

/** Bytes that the service keeps, from the start of the object; without the header none. */
function persisted({ headers }: Answer): number {
  const last = /^bytes=0-(\d+)$/.exec(one(headers.range) ?? "")?.[1];
  return last === undefined ? 0 : Number(last) + 1;
}

function gone(error: unknown): boolean {
  return error instanceof HttpError && GONE.has(error.status);
}

function lost(): Error {
  return failure("Unavailable", "the server does not keep what it was sent");
}
