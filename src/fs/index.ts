/** The door of the room: storage as the other rooms use it. */
export type { Objects } from "./objects.js";
export { type CreateStorageOptions, createObjects } from "./open.js";
export type { Abortable, Compression, ListOptions, Range, ReadOptions, WriteOptions } from "./options.js";
export type { ListEntry, Storage } from "./storage.js";
