/** Copies inside S3, by whatever client. */
import { failure } from "../../../errors.js";
import type { CopyOptions, Receipt } from "../../driver.js";
import { HttpError } from "../../http.js";
import { Stop } from "../../stop.js";
import type { Conditions } from "./conditions.js";
import type { PartDone } from "./multipart.js";
import type { Profile } from "./profile.js";

const MIB = 2 ** 20;
/** Largest source of CopyObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html */
const LARGEST = 5 * 1024 * MIB;
const SMALLEST_PART = 64 * MIB;
const PARALLEL = 16;

/** An object of any bucket that the same connection reaches. */
export interface Source {
  bucket: string;
  key: string;
}

type Signal = AbortSignal | undefined;

/** The requests that copy one object to one place. */
export interface CopyRoute {
  readonly profile: Profile;
  /** CopyObject. */
  whole(ifMatch: string | undefined, signal: Signal): Promise<Receipt>;
  look(ifMatch: string | undefined, signal: Signal): Promise<Looked>;
}

/** A source whose version is known. */
export interface Looked {
  readonly size: number;
  /** Writes an empty object with the source's description. */
  empty(conditions: Conditions, signal: Signal): Promise<Receipt>;
  /** An upload with the source's description, whose parts are copied from this version. */
  begin(conditions: Conditions, signal: Signal): Promise<PartCopies>;
}

export interface PartCopies {
  part(number: number, range: string, signal: AbortSignal): Promise<PartDone>;
  commit(parts: readonly PartDone[], signal: Signal): Promise<Receipt>;
  abort(): Promise<void>;
}

/** Server-side. A source above 5 GiB, or a condition on the target, needs parts; the source is pinned to one version. */
export async function copy(route: CopyRoute, options: CopyOptions): Promise<Receipt> {
  if (options.ifAbsent && !route.profile.conditionalCommit) {
    throw failure("Unsupported", "this provider does not enforce ifAbsent on copies");
  }
  if (options.ifAbsent) return copyParts(route, options);
  try {
    return await route.whole(options.ifMatch, options.signal);
  } catch (error) {
    if (!isTooLarge(error)) throw error;
    return copyParts(route, options);
  }
}

/** The code is that of any malformed request; only the words tell. */
function isTooLarge(error: unknown): boolean {
  if (!(error instanceof HttpError)) return false;
  const told = error.code === "InvalidRequest" && /larger than the maximum/i.test(error.detail);
  return told || error.code === "EntityTooLarge";
}

async function copyParts(route: CopyRoute, { ifAbsent, ifMatch, signal }: CopyOptions): Promise<Receipt> {
  const source = await route.look(ifMatch, signal);
  const conditions = { ifAbsent, ifMatch: undefined };
  // A part has at least one byte.
  if (source.size === 0) return source.empty(conditions, signal);
  const upload = await source.begin(conditions, signal);
  try {
    return await upload.commit(await together(upload, source.size, signal), signal);
  } catch (error) {
    await upload.abort().catch(() => {});
    throw error;
  }
}

/** All parts; the first failure stops the others. */
async function together(upload: PartCopies, size: number, signal: Signal): Promise<PartDone[]> {
  const length = Math.min(LARGEST, Math.max(SMALLEST_PART, Math.ceil(size / 1000)));
  const done: PartDone[] = [];
  const stop = new Stop(signal);
  let next = 0;
  async function lane(): Promise<void> {
    for (let index = next++; index * length < size; index = next++) {
      const range = `bytes=${index * length}-${Math.min(size, (index + 1) * length) - 1}`;
      done[index] = await upload.part(index + 1, range, stop.signal);
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, () => lane().catch((error) => stop.now(error))));
  stop.free();
  stop.signal.throwIfAborted();
  return done;
}
