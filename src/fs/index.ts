/** Entry point of this folder: storage as the other folders use it. */
export { Batch } from "./batch.js";
export type { BucketEntry, Buckets } from "./buckets.js";
export { deleteListed } from "./delete-listed.js";
export type { OperationEvent, RequestEvent } from "./driver/observed-http.js";
export type { Objects } from "./objects.js";
export { type CreateStorageOptions, createObjects } from "./open.js";
export type { Abortable, Compression, ListEntry, ListOptions, Range, ReadOptions, WriteOptions } from "./options.js";
export { checkCount } from "./options.js";
export type { Storage } from "./storage.js";
export type { SyncStep, SyncSummary } from "./sync.js";
export { summed } from "./tree.js";
