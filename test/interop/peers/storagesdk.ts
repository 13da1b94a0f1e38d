/** stowage as an adapter of storagesdk, so that the conformance suite of its adapters runs on it. */
import {
  type Adapter,
  type BodyInput,
  type DiffOptions,
  defaultDiff,
  defaultMerge,
  defaultRebase,
  defineAdapter,
  type ForkInfo,
  nextSnapshotId,
  StorageError as SdkError,
  type SnapshotInfo,
  type StorageItemMeta,
  toWebStream,
} from "@storagesdk/core/adapter";
import { isStorageError, type ObjectInfo, type Storage } from "../../../src/index.js";

/** Their codes of ours; anything else is `Provider`. */
const CODES = {
  NotFound: "NotFound",
  InvalidArgument: "InvalidArgument",
  Unsupported: "NotSupported",
  AlreadyExists: "Conflict",
  Aborted: "Aborted",
} as const;

type Signal = { signal?: AbortSignal } | undefined;

/** Runs a call of ours and throws what theirs would. */
async function translated<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof Error && cause.name === "AbortError") throw new SdkError({ code: "Aborted", cause });
    if (!isStorageError(cause)) throw cause;
    const code = CODES[cause.code as keyof typeof CODES] ?? "Provider";
    throw new SdkError({ code, message: cause.message, cause });
  }
}

function toMeta(path: string, info: Partial<ObjectInfo>): StorageItemMeta {
  const { size = 0, contentType = "application/octet-stream", etag = "", modified = new Date(0), metadata } = info;
  return { path, size, contentType, etag, lastModified: modified, ...(metadata && { metadata }) };
}

/** The key of a path: what follows the bucket. */
const keyOf = (path: string) => path.replace(/^\w+:\/\/[^/]+\//, "");

/** Where the objects of a storage, a snapshot or a fork are. */
interface Place {
  readonly data: string;
  readonly snapshots: Map<string, { info: SnapshotInfo; place: Place }>;
  readonly forks: Map<string, { info: ForkInfo; place: Place }>;
}

/**
 * Returns an adapter whose objects are below `root`. Snapshots and forks, which stowage does not have, are recursive copies
 * beside them; their lists are kept in memory.
 */
export function stowageAdapter(storage: Storage, root: string): Adapter<Storage> {
  let places = 0;
  const newPlace = (): Place => ({ data: `${root}/place-${places++}`, snapshots: new Map(), forks: new Map() });

  async function copyOf(from: Place, options: Signal): Promise<Place> {
    const place = newPlace();
    options?.signal?.throwIfAborted();
    if (!(await isEmpty(from.data))) await storage.copy(from.data, place.data, { recursive: true, ...options });
    return place;
  }

  async function isEmpty(path: string): Promise<boolean> {
    for await (const _ of storage.list(path, { limit: 1 })) return false;
    return true;
  }

  function found<T>(map: Map<string, T>, name: string): T {
    const entry = map.get(name);
    if (!entry) throw new SdkError({ code: "NotFound", message: name });
    return entry;
  }

  function readerOf(data: string) {
    const at = (path: string) => `${data}/${path}`;
    return {
      download: (path: string, options?: { range?: { offset: number; length: number }; signal?: AbortSignal }) =>
        translated(async () => {
          const { range, signal } = options ?? {};
          const part = range && { start: range.offset, end: range.offset + range.length };
          const object = await storage.get(at(path), { ...part, ...(signal && { signal }) });
          const body = new Uint8Array(await object.bytes());
          return { ...toMeta(path, object), size: body.byteLength, body };
        }),
      head: (path: string, options?: Signal) =>
        translated(async () => toMeta(path, await storage.stat(at(path), options))),
      list: (options: { prefix?: string; limit?: number; cursor?: string; signal?: AbortSignal } = {}) =>
        translated(async () => {
          const { prefix = "", limit, cursor, signal } = options;
          // Theirs is a prefix of text, ours a directory: list the directory around it.
          const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
          const base = `${keyOf(data)}/`;
          const items: StorageItemMeta[] = [];
          const listed = storage.list(at(folder), {
            recursive: true,
            ...(cursor !== undefined && { startAfter: base + cursor }),
            ...(signal && { signal }),
          });
          for await (const entry of listed) {
            const path = entry.key.slice(base.length);
            if (!path.startsWith(prefix)) continue;
            // One more than asked for tells that there is another page.
            if (items.length === limit) return { items, cursor: items.at(-1)?.path };
            if (entry.type === "file") items.push(toMeta(path, entry));
          }
          return { items };
        }),
      url: (path: string, options: { expiresIn?: number; signal?: AbortSignal } = {}) =>
        translated(async () => (await storage.signedUrl(at(path), { expiresIn: options.expiresIn ?? 3600 })).url),
    };
  }

  function adapterOf(place: Place): Adapter<Storage> {
    const at = (path: string) => `${place.data}/${path}`;
    const reader = readerOf(place.data);
    const adapter: Adapter<Storage> = {
      name: "stowage",
      raw: storage,
      ...reader,
      upload: (path: string, body: BodyInput, options: Parameters<Adapter["upload"]>[2] = {}) =>
        translated(async () => {
          const { contentType, cacheControl, metadata, signal } = options;
          const given = Object.entries({ contentType, cacheControl, metadata, signal }).filter(([, value]) => value);
          await storage.write(at(path), typeof body === "string" ? body : toWebStream(body), Object.fromEntries(given));
          return reader.head(path);
        }),
      delete: (path: string, options?: Signal) => translated(() => storage.delete(at(path), options)),
      copy: (from: string, to: string, options?: Signal) =>
        translated(async () => void (await storage.copy(at(from), at(to), options))),
      move: (from: string, to: string, options?: Signal) =>
        translated(async () => void (await storage.move(at(from), at(to), options))),
      uploadUrl: (path: string, options: Parameters<Adapter["uploadUrl"]>[1] = {}) =>
        translated(async () => {
          const { expiresIn = 3600, contentType, maxSize, minSize } = options;
          const type = contentType === undefined ? {} : { contentType };
          // Azure has no forms: their contract allows a link without the limit.
          if (maxSize === undefined || place.data.startsWith("abfs:")) {
            const { url, headers } = await storage.signedUrl(at(path), { method: "PUT", expiresIn, ...type });
            return { method: "PUT" as const, url, headers };
          }
          const minimum = minSize === undefined ? {} : { minBytes: minSize };
          const post = await storage.signedPost(at(path), { maxBytes: maxSize, expiresIn, ...minimum, ...type });
          return { method: "POST" as const, url: post.url, fields: post.fields };
        }),
      snapshots: {
        create: (options?: { name?: string; signal?: AbortSignal }) =>
          translated(async () => {
            const { name, signal } = options ?? {};
            const info = { id: nextSnapshotId("place"), createdAt: new Date(), ...(name !== undefined && { name }) };
            place.snapshots.set(info.id, { info, place: await copyOf(place, signal && { signal }) });
            return info;
          }),
        list: async () => [...place.snapshots.values()].map(({ info }) => info),
        head: async (id: string) => found(place.snapshots, id).info,
        delete: async (id: string) => {
          await storage.delete(found(place.snapshots, id).place.data, { recursive: true });
          place.snapshots.delete(id);
        },
        get: (id: string) => readerOf(found(place.snapshots, id).place.data),
      },
      forks: {
        create: (options: { name: string; fromSnapshot?: string; signal?: AbortSignal }) =>
          translated(async () => {
            const { name, fromSnapshot, signal } = options;
            signal?.throwIfAborted();
            if (place.forks.has(name)) throw new SdkError({ code: "Conflict", message: name });
            const from = fromSnapshot === undefined ? place : found(place.snapshots, fromSnapshot).place;
            const info = { name, createdAt: new Date(), ...(fromSnapshot !== undefined && { fromSnapshot }) };
            place.forks.set(name, { info, place: await copyOf(from, signal && { signal }) });
            return info;
          }),
        list: async () => [...place.forks.values()].map(({ info }) => info),
        head: async (name: string) => found(place.forks, name).info,
        delete: async (name: string) => {
          await storage.delete(found(place.forks, name).place.data, { recursive: true });
          place.forks.delete(name);
        },
        get: (name: string) => adapterOf(found(place.forks, name).place),
        merge: (name: string, options?: Signal) => defaultMerge(whole, name, options),
        rebase: (name: string, options?: Signal) => defaultRebase(whole, name, options),
        diff: (name: string, options?: DiffOptions) => defaultDiff(whole, name, options),
      },
    };
    const whole = defineAdapter(adapter);
    return whole;
  }

  return adapterOf(newPlace());
}
