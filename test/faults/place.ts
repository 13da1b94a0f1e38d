/** A bucket of one provider behind a fault proxy, and a look at what is really there. */
import { randomBytes } from "node:crypto";
import { expect, vi } from "vitest";
import type { Storage } from "../../src/fs/storage.js";
import { openStorage } from "../../src/open.js";
import type { Bucket } from "../servers/buckets.mjs";
import type { ServerName, ServerOf } from "../servers/use.js";
import { type FaultProxy, faultProxy } from "../support/faults.js";
import { through } from "../support/proxy.js";
import { PATIENT } from "./brisk.js";

export interface Provider {
  name: string;
  server: ServerName;
  scheme: "s3" | "gs" | "abfs";
}

export const PROVIDERS: readonly Provider[] = [
  { name: "MinIO", server: "minio", scheme: "s3" },
  { name: "fake-gcs-server", server: "fake-gcs", scheme: "gs" },
  { name: "Azurite", server: "azurite", scheme: "abfs" },
];

export const MIB = 2 ** 20;

/** The bytes of one version of an object: no two versions, and no two places in one, look alike. */
export function content(version: number, size: number): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4));
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(version, 0x85ebca6b);
  return Buffer.from(words.buffer, 0, size);
}

export class Place {
  readonly key = randomBytes(6).toString("hex");

  private constructor(
    readonly provider: Provider,
    readonly bucket: Bucket,
    readonly proxy: FaultProxy,
    /** By way of the proxy. */
    readonly storage: Storage,
    /** Past the proxy. */
    readonly direct: Storage,
  ) {}

  static async open(provider: Provider, server: ServerOf<ServerName>, bucket: Bucket): Promise<Place> {
    const proxy = await faultProxy(server.endpoint);
    const open = (it: ServerOf<ServerName>, env = {}) => openStorage({ connections: { it: it.connection }, env });
    return new Place(provider, bucket, proxy, open(through(server, proxy)), open(server, { [PATIENT]: "1" }));
  }

  /** The path of a name; all names of a place lie below one prefix of its own. */
  readonly at = (name: string): string => `${this.provider.scheme}://it@${this.bucket.name}/${this.key}/${name}`;

  /** What is stored, or undefined for nothing. */
  async stored(name: string): Promise<Uint8Array | undefined> {
    return (await this.direct.exists(this.at(name))) ? this.direct.bytes(this.at(name)) : undefined;
  }

  /** Which of these contents is stored: its index; -1 for nothing, NaN for anything else, which must never be. */
  async found(name: string, ...contents: readonly Uint8Array[]): Promise<number> {
    const data = await this.stored(name);
    if (!data) return -1;
    const index = contents.findIndex((one) => Buffer.from(one).equals(data));
    return index < 0 ? Number.NaN : index;
  }

  /** Keys of uploads that were begun here and neither committed nor aborted. Azure's cannot be aborted, they expire. */
  async openUploads(): Promise<string[]> {
    if (this.provider.scheme === "abfs") return [];
    return (await this.bucket.openUploads()).filter((key) => key.startsWith(`${this.key}/`));
  }

  /**
   * Closes everything and checks that no request, connection or upload is left. `unread`: connections that the proxy
   * does not read, so that it cannot see them end.
   */
  async leave({ uploads = true, unread = 0 } = {}): Promise<void> {
    const open = uploads ? await this.openUploads() : [];
    await this.direct.close();
    await this.storage.close();
    await vi.waitFor(() => expect(this.proxy.connections()).toBeLessThanOrEqual(unread), 3000);
    await this.proxy.close();
    expect(open).toEqual([]);
  }
}
