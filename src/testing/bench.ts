import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { Body } from "../fs/bytes.js";
import type { Info, Receipt } from "../fs/driver.js";
import type { ListInit, ReadInit, WriteInit } from "../fs/options.js";
import type { Entry, Storage } from "../fs/storage.js";
import { StoragePath } from "../path.js";
import type { Harness } from "./harness.js";
import { pooled, same } from "./tools.js";

/** A harness with the words that cases are written in: names below the base stand for paths. */
export class Bench {
  readonly storage: Storage;
  readonly base: StoragePath;
  readonly other: StoragePath;

  constructor({ storage, base, other }: Harness) {
    this.storage = storage;
    this.base = base;
    this.other = other ?? StoragePath.of({ scheme: "memory", bucket: "contract", key: randomBytes(6).toString("hex") });
  }

  /** The path of exactly this name below the base. */
  at(name: string, base: StoragePath = this.base): StoragePath {
    const { scheme, connectionId, bucket, key } = base;
    return StoragePath.of({ scheme, connectionId, bucket, key: key === "" ? name : `${key}/${name}` });
  }

  /** The name below the base that a path has. */
  name(path: StoragePath): string {
    const { key } = this.base;
    return key === "" ? path.key : path.key.slice(key.length + 1);
  }

  write(name: string, body: Body, init?: WriteInit): Promise<Receipt> {
    return this.storage.write(this.at(name), body, init);
  }

  bytes(name: string, init?: ReadInit): Promise<Uint8Array> {
    return this.storage.bytes(this.at(name), init);
  }

  stat(name: string): Promise<Info> {
    return this.storage.stat(this.at(name));
  }

  async etag(name: string): Promise<string> {
    return (await this.stat(name)).etag;
  }

  async entries(at: StoragePath = this.base, init: ListInit = {}): Promise<Entry[]> {
    const entries: Entry[] = [];
    for await (const entry of this.storage.list(at, init)) entries.push(entry);
    return entries;
  }

  /** Names below the base; a directory's ends with a slash. */
  async names(at: StoragePath = this.base, init: ListInit = {}): Promise<string[]> {
    const entries = await this.entries(at, init);
    return entries.map(({ path, type }) => this.name(path) + (type === "directory" ? "/" : ""));
  }

  /** Names of everything below. */
  all(at: StoragePath = this.base): Promise<string[]> {
    return this.names(at, { recursive: true });
  }

  /** Writes the names, each with itself as content. */
  async fill(names: readonly string[]): Promise<void> {
    await pooled(names, (name) => this.write(name, name));
  }

  async holds(name: string, expected: string | Uint8Array): Promise<void> {
    same(await this.bytes(name), expected, name);
  }

  /** `work` leaves old content at `x` alone, and puts nothing beside it. */
  async keepsOld(work: () => Promise<unknown>): Promise<void> {
    await this.write("x", "old");
    await work();
    await this.holds("x", "old");
    assert.deepEqual(await this.all(), ["x"]);
  }

  async missing(name: string): Promise<void> {
    assert.equal(await this.storage.exists(this.at(name)), false, `${name} exists`);
  }

  /** A path in a bucket that nobody has made. */
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
