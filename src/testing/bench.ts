import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { forEachConcurrent } from "../concurrency.js";
import { type ErrorCode, isStorageError, type StorageError } from "../errors.js";
import type { ObjectInfo, WriteResult } from "../fs/driver/index.js";
import type { ListEntry, ListOptions, ReadOptions, Storage, WriteOptions } from "../fs/index.js";
import { StoragePath } from "../path.js";
import type { Body, ByteStream } from "../streams.js";

/** A harness with the vocabulary of the cases: names below the base stand for paths. */
export class TestContext {
  readonly storage: Storage;
  readonly base: StoragePath;
  readonly other: StoragePath;

  constructor({ storage, base, other }: Harness) {
    this.storage = storage;
    this.base = base;
    this.other = other ?? StoragePath.of({ scheme: "memory", bucket: "contract", key: randomBytes(6).toString("hex") });
  }

  /** Returns the path of exactly this name below the base. */
  at(name: string, base: StoragePath = this.base): StoragePath {
    const { scheme, connectionId, bucket, key } = base;
    return StoragePath.of({ scheme, connectionId, bucket, key: key === "" ? name : `${key}/${name}` });
  }

  /** Returns a path's name below the base. */
  name(path: StoragePath): string {
    const { key } = this.base;
    return key === "" ? path.key : path.key.slice(key.length + 1);
  }

  write(name: string, body: Body, options?: WriteOptions): Promise<WriteResult> {
    return this.storage.write(this.at(name), body, options);
  }

  bytes(name: string, options?: ReadOptions): Promise<Uint8Array> {
    return this.storage.bytes(this.at(name), options);
  }

  stat(name: string): Promise<ObjectInfo> {
    return this.storage.stat(this.at(name));
  }

  async etag(name: string): Promise<string> {
    const { etag } = await this.stat(name);
    assert.ok(etag, `${name} has no etag`);
    return etag;
  }

  async entries(path: StoragePath = this.base, options: ListOptions = {}): Promise<ListEntry[]> {
    const entries: ListEntry[] = [];
    for await (const entry of this.storage.list(path, options)) entries.push(entry);
    return entries;
  }

  /** Lists names below the base; a directory's ends with a slash. */
  async names(path: StoragePath = this.base, options: ListOptions = {}): Promise<string[]> {
    const entries = await this.entries(path, options);
    return entries.map(({ path: found, type }) => this.name(found) + (type === "directory" ? "/" : ""));
  }

  /** Lists the names of all objects below. */
  all(path: StoragePath = this.base): Promise<string[]> {
    return this.names(path, { recursive: true });
  }

  /** Writes the names, each with itself as content. */
  async fill(names: readonly string[]): Promise<void> {
    await pooled(names, (name) => this.write(name, name));
  }

  async holds(name: string, expected: string | Uint8Array): Promise<void> {
    same(await this.bytes(name), expected, name);
  }

  /** Checks that `work` neither changes the old content at `x` nor leaves anything beside it. */
  async keepsOld(work: () => Promise<unknown>): Promise<void> {
    await this.write("x", "old");
    await work();
    await this.holds("x", "old");
    assert.deepEqual(await this.all(), ["x"]);
  }

  async missing(name: string): Promise<void> {
    assert.equal(await this.storage.exists(this.at(name)), false, `${name} exists`);
  }

  /** Returns a path in a bucket that does not exist. */
  elsewhere(): StoragePath {
    const { scheme, connectionId } = this.base;
    return StoragePath.of({
      scheme,
      connectionId,
      bucket: `no-such-bucket-${randomBytes(6).toString("hex")}`,
      key: "x",
    });
  }
}

/** An isolated location for one case. */
export interface Harness {
  storage: Storage;
  /** A directory for this run only, initially empty. */
  base: StoragePath;
  /** A location at another provider that `storage` also reaches, for copies across. @default below `memory://` */
  other?: StoragePath;
  /**
   * Lists unfinished uploads, temporary files or open descriptors below `base`. Called after each case, which fails if
   * there are any.
   */
  leftovers?(): Promise<string[]>;
  /** Removes the case's leftovers. */
  cleanup(): Promise<void>;
}

// Assertions and data for the cases. Assertions come from node:assert, so that no test framework is needed.

export const MIB = 2 ** 20;

/** Runs `work` on each item, sixteen at a time. */
export function pooled<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  return forEachConcurrent(items, { concurrency: 16 }, work);
}

/** Checks that `work` rejects with a StorageError of this code, and returns it. */
export async function expectRejection(
  work: Promise<unknown>,
  code: ErrorCode | readonly ErrorCode[],
  why = "",
): Promise<StorageError> {
  const codes = typeof code === "string" ? [code] : code;
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error !== undefined, `${why} ${codes} expected, it succeeded`);
  assert.ok(isStorageError(error), `${why} ${codes} expected, not ${String(error)}`);
  assert.ok(codes.includes(error.code), `${why} ${codes} expected, not ${error.message}`);
  return error;
}

/** Checks that `work` rejects with exactly this reason. */
export async function rejectsWith(work: Promise<unknown>, reason: unknown): Promise<void> {
  const outcome = await work.then(
    () => "it succeeded",
    (error: unknown) => error,
  );
  assert.strictEqual(outcome, reason);
}

/** Compares bytes; a failure shows lengths and digests, not megabytes. */
export function same(actual: Uint8Array, expected: string | Uint8Array, why = ""): void {
  const wanted = typeof expected === "string" ? Buffer.from(expected) : expected;
  if (Buffer.compare(actual, wanted) === 0) return;
  assert.fail(`${why}: ${summary(actual)} instead of ${summary(wanted)}`);
}

function summary(data: Uint8Array): string {
  if (data.byteLength <= 40) return JSON.stringify(Buffer.from(data).toString("latin1"));
  return `${data.byteLength} bytes (sha256 ${createHash("sha256").update(data).digest("hex").slice(0, 12)})`;
}

/** Returns `size` bytes of deterministic pseudo-random data. */
export function noise(size: number, seed = 1): Uint8Array {
  const data = new Uint8Array(size);
  let state = seed;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    data[i] = state >>> 24;
  }
  return data;
}

/** Streams the data in chunks of `size` bytes; all chunks share one buffer. */
export async function* stream(data: Uint8Array, size = 64 * 1024): ByteStream {
  const shared = new Uint8Array(size);
  for (let at = 0; at < data.byteLength; at += size) {
    const chunk = data.subarray(at, at + size);
    shared.set(chunk);
    yield shared.subarray(0, chunk.byteLength);
  }
}

/** Yields the data, then throws an error. */
export async function* broken(data: Uint8Array, error: unknown): ByteStream {
  yield* stream(data);
  throw error;
}

export async function gather(bytes: ByteStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Returns a promise and the function that resolves it. */
export function gate(): { opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Names that libraries are known to change, refuse or confuse; all are legal keys everywhere. */
export const ODD_NAMES: readonly string[] = [
  "two words",
  " leading and trailing ",
  "plus+plus",
  "percent%48",
  "percent%",
  "%2F",
  "question?mark=1&b",
  "hash#fragment",
  'double"quote',
  "it's",
  "back`tick",
  "a<b>c&d;e",
  "manual__2024-01-01T00:00:00+00:00",
  "colon:colon::colon",
  "semi;colon,comma",
  "{braces}[brackets](parens)",
  "caret^pipe|tilde~",
  "star*dollar$at@bang!",
  "equals=1",
  "Ünïcödé",
  "世界",
  "🙀😀",
  "nfc-\u00e9",
  "nfd-e\u0301",
  ".hidden",
  "-dash",
  "UPPER and lower",
  "very/deep/er/than/most",
];

/** Names that some providers refuse or would change: they must be stored exactly, or refused with InvalidArgument. */
export const DISPUTED_NAMES: readonly string[] = [
  "tab\there",
  "new\nline",
  "return\rhere",
  "\u0001start",
  "delete\u007f",
  "\u0085next\u2028line",
  "\ufeffmark",
  "trailing.",
  "dots./in/the../middle",
  "...",
  "back\\slash",
];

/**
 * A feature that not every provider has. `attributes`: headers such as `Cache-Control`. `tags`: tags of objects.
 * `nesting`: an object `a` beside `a/b`. `anyKey`: keys with empty segments, a slash at either end, or a backslash.
 * `dotSegments`: keys with `.` and `..` segments. `buckets`: a bucket can be missing. `bucketVerbs`: `storage.buckets`
 * lists, creates and deletes them. `conditions`: writes with `ifAbsent` and `ifMatch` are atomic. `contentType`: it is
 * stored as given, not derived from the suffix. `copyIfAbsent`: a copy inside the provider can be create-only.
 */
export type Capability =
  | "anyKey"
  | "attributes"
  | "buckets"
  | "bucketVerbs"
  | "conditions"
  | "contentType"
  | "copyIfAbsent"
  | "dotSegments"
  | "metadata"
  | "nesting"
  | "sign"
  | "tags"
  | "versions";

/** A known deviation of a server from the contract. */
export interface Exception {
  /** The id of the case. */
  id: string;
  reason: string;
  /** The evidence: an issue, a line of the server's source, a measurement with its version. */
  evidence: string;
  /** Checks the server's actual behaviour. */
  instead?(context: TestContext): Promise<void>;
}

/** A case before it is bound to a driver. */
export interface Spec {
  id: string;
  title: string;
  /** Capabilities without which `without` is checked instead of `run`. */
  needs?: readonly Capability[];
  run(context: TestContext): Promise<void>;
  without?(context: TestContext): Promise<void>;
}
