/** Where the contract is checked, and what is known of each place. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStorage } from "../../src/open.js";
import { StoragePath } from "../../src/path.js";
import type { Capability, Exception, Harness } from "../../src/testing/index.js";
import type { Bucket } from "../servers/buckets.mjs";
import type { ServerName } from "../servers/use.js";

export interface Backend {
  name: string;
  lacks: readonly Capability[];
  exceptions: readonly Exception[];
}

export const MEMORY: Backend = { name: "memory", lacks: ["buckets", "sign", "versions"], exceptions: [] };

export const FILE: Backend = {
  name: "file",
  lacks: ["anyKey", "buckets", "contentType", "metadata", "nesting", "sign", "versions"],
  exceptions: [],
};

function folder(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), "stowage-contract-")));
}

/** Files below the folder that this process still has open, and unfinished writes. */
async function leftIn(root: string): Promise<string[]> {
  const unfinished = readdirSync(root, { recursive: true }).map(String);
  return [
    ...openFiles().filter((path) => path.startsWith(root)),
    ...unfinished.filter((name) => name.includes(".stowage-tmp-")),
  ];
}

function openFiles(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return readlinkSync(join("/proc/self/fd", fd));
    } catch {
      return [];
    }
  });
}

export async function openMemory(): Promise<Harness> {
  const root = folder();
  const storage = openStorage({ fileRoot: root, env: {} });
  return {
    storage,
    base: StoragePath.of({ scheme: "memory", bucket: "contract", key: "base" }),
    other: StoragePath.of({ scheme: "file", bucket: "", key: root.slice(1) }),
    leftovers: () => leftIn(root),
    async cleanup() {
      await storage.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export async function openFile(): Promise<Harness> {
  const root = folder();
  const storage = openStorage({ fileRoot: root, env: {} });
  return {
    storage,
    base: StoragePath.of({ scheme: "file", bucket: "", key: `${root.slice(1)}/base` }),
    leftovers: () => leftIn(root),
    async cleanup() {
      await storage.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export interface ServerBackend extends Backend {
  server: ServerName;
  scheme: string;
  versioned: boolean;
}

export const SERVERS: readonly ServerBackend[] = [];

/** A prefix of its own in a bucket, for each case. */
export async function openOn(backend: ServerBackend, connection: string, bucket: Bucket): Promise<Harness> {
  const storage = openStorage({ connections: { it: connection }, env: {} });
  const key = randomBytes(6).toString("hex");
  const base = StoragePath.of({ scheme: backend.scheme, connectionId: "it", bucket: bucket.name, key });
  return {
    storage,
    base,
    leftovers: async () => (await bucket.openUploads()).filter((open) => open.startsWith(`${key}/`)),
    async cleanup() {
      await storage.delete(base, { recursive: true });
      await storage.close();
    },
  };
}
