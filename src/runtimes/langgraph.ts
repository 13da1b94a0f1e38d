/**
 * Large values of LangGraph's checkpoints as objects. Works with every checkpointer whose serializer writes all that it
 * stores: memory, Postgres, SQLite, MongoDB.
 *
 * @packageDocumentation
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { Claims, type ClaimsOptions } from "../claims/index.js";
import { failure, invalid } from "../errors.js";
import type { ReferenceSource } from "../references.js";
import type { Query } from "../sql.js";
import { type TableReferencesOptions, tableReferences } from "./table-references.js";

export type { FoundReference, ReferenceSource } from "../references.js";
export type { Query } from "../sql.js";
export type { TableReferencesOptions } from "./table-references.js";

/** The serializer of `@langchain/langgraph-checkpoint`. */
export interface SerializerProtocol {
  // biome-ignore lint/suspicious/noExplicitAny: LangGraph's own interface
  dumpsTyped(value: any): Promise<[type: string, bytes: Uint8Array]>;
  // biome-ignore lint/suspicious/noExplicitAny: LangGraph's own interface
  loadsTyped(type: string, data: Uint8Array | string): Promise<any>;
}

/** What is used of a checkpointer of `@langchain/langgraph-checkpoint`. */
export interface CheckpointSaver {
  serde: SerializerProtocol;
  // biome-ignore lint/suspicious/noExplicitAny: LangGraph's own interface
  put(config: any, ...rest: any[]): Promise<any>;
  // biome-ignore lint/suspicious/noExplicitAny: LangGraph's own interface
  putWrites(config: any, ...rest: any[]): Promise<void>;
  deleteThread(threadId: string): Promise<void>;
}

export interface OffloadOptions extends Omit<ClaimsOptions, "threshold"> {
  /** Bytes of a serialized value from which on it becomes an object. @default 131072 */
  threshold?: number | undefined;
}

export interface OffloadSaverOptions extends OffloadOptions {
  /**
   * `thread`: the objects of a thread lie in a folder of their own, which `deleteThread` deletes. `shared`: equal
   * values of all threads share one object, and nothing is deleted. @default "thread"
   */
  scope?: "thread" | "shared" | undefined;
}

const THRESHOLD = 128 * 1024;
/** Bytes of values kept in memory: a graph reads its state anew in every step. */
const CACHE = 16 * 2 ** 20;

/**
 * Makes a checkpointer store large values as objects: sets its serializer, and wraps `put`, `putWrites` and
 * `deleteThread`. Values are uploaded by `put` and `putWrites` only, never while something is read; the metadata of
 * checkpoints stays in the rows, where checkpointers filter by it. Returns the same checkpointer.
 *
 * LangGraph stores a step's values twice, when a task ends and with the checkpoint. The objects of a thread are looked
 * at each time, because another checkpointer, of this process or not, can delete the thread; `remember: "10s"` saves
 * these requests where none does.
 *
 * Reading throws the StorageError of a value that is gone or damaged. `deleteThread` waits for the calls of `put` and
 * `putWrites` of the thread that are under way, deletes the rows, then the objects; later calls wait for its end. A
 * `thread_id` that is a number counts as its text; of any other type it is InvalidArgument before a row is touched.
 *
 * @example const checkpointer = offload(new PostgresSaver(pool), { storage, path: "s3://lake@bucket/langgraph" });
 */
export function offload<S extends CheckpointSaver>(saver: S, options: OffloadSaverOptions): S {
  const { scope = "thread", ...rest } = options;
  if (scope !== "thread" && scope !== "shared") throw invalid(`scope must be "thread" or "shared"`);
  // First, so that an option is named that a second call has wrong.
  const claims = claimsOf(rest);
  checkSaver(saver);
  const calls = new ThreadCalls();
  saver.serde = new OffloadingSerializer(claims, saver.serde, () => {
    const { thread } = calls;
    return thread === undefined ? undefined : scopeOf(thread);
  });
  const [put, putWrites, deleteThread] = [saver.put, saver.putWrites, saver.deleteThread];
  const threadOf = (config: { configurable?: { thread_id?: unknown } } | undefined) =>
    scope === "shared" ? "" : threadText(config?.configurable?.thread_id);
  saver.put = async (config, ...more) => calls.run(threadOf(config), {}, () => put.call(saver, config, ...more));
  saver.putWrites = async (config, ...more) =>
    calls.run(threadOf(config), {}, () => putWrites.call(saver, config, ...more));
  if (scope === "thread") {
    saver.deleteThread = async (threadId) => {
      const thread = threadText(threadId);
      await calls.run(thread, { alone: true }, async () => {
        await deleteThread.call(saver, threadId);
        if (thread !== "") await claims.removeScope(scopeOf(thread));
      });
    };
  }
  return saver;
}

function scopeOf(thread: string): readonly string[] {
  return thread === "" ? [] : ["t", thread];
}

/** Returns the id of a thread as checkpointers write it: text; empty for none, whose objects are shared. */
function threadText(id: unknown): string {
  // Without one, the checkpointer itself refuses the call.
  if (id === undefined) return "";
  if (typeof id === "number") return String(id);
  if (typeof id === "string" && id.isWellFormed()) return id;
  throw invalid("thread_id must be well-formed text, or a number");
}

/** What is under way for a thread, unless a later deletion waits for it. */
interface ThreadQueue {
  deletion: Promise<unknown> | undefined;
  writes: Set<Promise<unknown>>;
}

/** The calls of each thread: writes run together, a deletion alone, so that no row is written while its object goes. */
class ThreadCalls {
  readonly #current = new AsyncLocalStorage<string>();
  readonly #queues = new Map<string, ThreadQueue>();

  /** The thread whose call this is a part of; undefined outside of all calls. */
  get thread(): string | undefined {
    return this.#current.getStore();
  }

  /** Runs a write after the deletions that were asked for before it; a deletion (`alone`) also after the writes. */
  async run<T>(thread: string, { alone = false }, work: () => Promise<T>): Promise<T> {
    // A part of another call, such as a `put` that calls `putWrites`, would wait for its own end.
    if (this.thread === thread) return work();
    const queue: ThreadQueue = this.#queues.get(thread) ?? { deletion: undefined, writes: new Set() };
    this.#queues.set(thread, queue);
    const start = async () => this.#current.run(thread, work);
    const before = alone ? Promise.allSettled([queue.deletion, ...queue.writes]) : queue.deletion;
    const running = before === undefined ? start() : before.then(start, start);
    if (alone) {
      queue.deletion = running;
      queue.writes = new Set();
    } else queue.writes.add(running);
    try {
      return await running;
    } finally {
      queue.writes.delete(running);
      if (queue.deletion === running) queue.deletion = undefined;
      if (queue.deletion === undefined && queue.writes.size === 0) this.#queues.delete(thread);
    }
  }
}

/**
 * Returns a serializer that stores large values as objects, for a checkpointer that takes one. It does not know the
 * thread, so equal values of all threads share an object and nothing is ever deleted.
 *
 * @example const checkpointer = new PostgresSaver(pool, offloadSerde({ storage, path: "s3://lake@bucket/lg", inner }));
 */
export function offloadSerde(options: OffloadOptions & { inner: SerializerProtocol }): SerializerProtocol {
  const { inner, ...rest } = options;
  if (typeof inner?.dumpsTyped !== "function") throw invalid("offloadSerde needs inner: new JsonPlusSerializer()");
  return new OffloadingSerializer(claimsOf(rest), inner, () => []);
}

/**
 * The references in the tables of LangGraph's PostgresSaver, for `sweep` and `fsck` of `stowage/xcom`, by a `query`
 * that takes `$1`.
 *
 * @example
 * const sources = [langgraphReferences((text, values) => pool.query(text, values))];
 * await sweep({ storage, path: "s3://lake@bucket/langgraph", sources, layout: claimsLayout({ refreshAfter: "12h" }) });
 */
export function langgraphReferences(query: Query, { schema = "public" }: TableReferencesOptions = {}): ReferenceSource {
  return tableReferences(query, {
    name: "LangGraph's database",
    schema,
    needed: ["checkpoints", "checkpoint_blobs", "checkpoint_writes"],
    isOurs: (table) => /^checkpoint(?:s|_\w+)$/.test(table),
    // A write of a step becomes a value of the next checkpoint.
    last: ["checkpoint_writes", "checkpoint_blobs"],
  });
}

function claimsOf({ threshold = THRESHOLD, cache = CACHE, ...rest }: OffloadOptions): Claims {
  return new Claims({ threshold, cache, ...rest });
}

function checkSaver(saver: CheckpointSaver): void {
  const { serde } = saver ?? {};
  const { name } = saver.constructor;
  if (typeof serde?.dumpsTyped !== "function" || typeof saver.putWrites !== "function")
    throw invalid("offload needs a checkpointer of LangGraph");
  if (serde instanceof OffloadingSerializer) throw invalid("the checkpointer offloads already");
  // They serialize by themselves and ask the serializer only to read.
  if (/Redis/.test(name))
    throw failure("Unsupported", `${name} does not write with its serializer; use Postgres, SQLite or MongoDB`);
}

class OffloadingSerializer implements SerializerProtocol {
  readonly #claims: Claims;
  readonly #inner: SerializerProtocol;
  /** The scope of the value that is written; undefined while something is read. */
  readonly #scope: () => readonly string[] | undefined;

  constructor(claims: Claims, inner: SerializerProtocol, scope: () => readonly string[] | undefined) {
    this.#claims = claims;
    this.#inner = inner;
    this.#scope = scope;
  }

  async dumpsTyped(value: unknown): Promise<[string, Uint8Array]> {
    const [type, bytes] = await this.#inner.dumpsTyped(value);
    const scope = this.#scope();
    if (scope === undefined || isMetadata(value)) return [type, bytes];
    const reference = await this.#claims.encodeBytes(bytes, { scope, type });
    // The type stays: checkpointers store it, and some only once for a checkpoint and its metadata.
    return [type, reference ?? bytes];
  }

  async loadsTyped(type: string, data: Uint8Array | string): Promise<unknown> {
    const claim = this.#claims.referenceIn(data);
    if (claim === undefined) return this.#inner.loadsTyped(type, data);
    return this.#inner.loadsTyped(claim.type ?? type, await this.#claims.get(claim));
  }
}

const SOURCES: ReadonlySet<unknown> = new Set(["input", "loop", "update", "fork"]);

/** Returns whether a value is the metadata of a checkpoint: some checkpointers store it without its type, as JSON. */
function isMetadata(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { source, step, parents } = value as { source?: unknown; step?: unknown; parents?: unknown };
  return SOURCES.has(source) && typeof step === "number" && typeof parents === "object";
}
