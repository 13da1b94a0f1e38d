/** Where the contract is checked, and what is known of each place. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConnectionInput } from "../../src/connections/connection.js";
import { openStorage } from "../../src/open.js";
import { StoragePath } from "../../src/path.js";
import { type Capability, type Exception, expectRejection, type Harness } from "../../src/testing/index.js";
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
  lacks: [
    "anyKey",
    "attributes",
    "buckets",
    "contentType",
    "dotSegments",
    "metadata",
    "nesting",
    "sign",
    "tags",
    "versions",
  ],
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
  if (process.platform !== "linux") return [];
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
  /** Whether the server keeps versions in a bucket that asks for it. */
  versions: boolean;
}

const MINIO_EXCEPTIONS: readonly Exception[] = [
  {
    id: "L11",
    reason: "MinIO lists nothing below a key that is itself an object",
    evidence: "measured on 7aac2a2c5b7c with @aws-sdk/client-s3: of `a` and `a/b` both can be read, only `a` is listed",
    async instead(bench) {
      await bench.fill(["a", "a/b"]);
      await bench.holds("a", "a");
      await bench.holds("a/b", "a/b");
      assert.deepEqual(await bench.all(), ["a"]);
      await bench.storage.delete([bench.at("a"), bench.at("a/b")]);
      assert.deepEqual(await bench.all(), []);
    },
  },
  {
    id: "L12",
    reason: "MinIO refuses keys with empty segments",
    evidence: "measured on 7aac2a2c5b7c: 400 XMinioInvalidObjectName",
    async instead(bench) {
      for (const name of ["a//b", "/c"]) await expectRejection(bench.write(name, "1"), "InvalidArgument", name);
      await bench.fill(["a/", "a/b"]);
      assert.deepEqual(await bench.all(), ["a/", "a/b"]);
      assert.deepEqual(await bench.names(bench.at("a")), ["a/b"]);
    },
  },
  {
    id: "L16",
    reason: "MinIO refuses keys with `.` or `..` segments",
    evidence: "measured on 7aac2a2c5b7c: 400 XMinioInvalidObjectName",
    async instead(bench) {
      for (const name of ["a/./b", "a/../b", "d/."])
        await expectRejection(bench.write(name, "1"), "InvalidArgument", name);
      assert.deepEqual(await bench.all(), []);
    },
  },
];

const FAKE_GCS_EXCEPTIONS: readonly Exception[] = [
  {
    id: "A05",
    reason: "fake-gcs-server cannot remove an attribute in place",
    evidence: "v1.56.1, fakestorage/object.go patchObject: null is decoded as a field that is not given",
    async instead(bench) {
      const x = bench.at("x");
      await bench.write("x", "1", { contentType: "text/css", cacheControl: "a", metadata: { a: "1" } });
      await bench.storage.setAttributes(x, { cacheControl: "b", contentLanguage: "de", metadata: { a: "2" } });
      const { contentType, cacheControl, contentLanguage, metadata } = await bench.stat("x");
      assert.deepEqual(
        [contentType, cacheControl, contentLanguage, { ...metadata }],
        ["text/css", "b", "de", { a: "2" }],
      );
      await bench.holds("x", "1");
    },
  },
  {
    id: "M06",
    reason: "fake-gcs-server ignores the generation of the source",
    evidence: "v1.56.1 checks preconditions on uploads only; the driver's tests assert the sent request",
    async instead(bench) {
      await bench.write("x", "1");
      const first = await bench.etag("x");
      await bench.write("x", "22");
      await bench.storage.copy(bench.at("x"), bench.at("y"), { ifMatch: first });
      await bench.holds("y", "22");
      const across = bench.storage.copy(bench.at("x"), bench.at("y", bench.other), { ifMatch: first });
      await expectRejection(across, "PreconditionFailed");
    },
  },
];

const AZURITE_EXCEPTIONS: readonly Exception[] = [
  {
    id: "R23",
    reason: "Azurite keeps no versions and ignores the version of a request",
    evidence: "measured on 3.37.0: any versionid returns the current blob",
    async instead(bench) {
      await bench.write("x", "1");
      assert.equal((await bench.stat("x")).version, undefined);
    },
  },
];

export const SERVERS: readonly ServerBackend[] = [
  { name: "MinIO", server: "minio", scheme: "s3", versions: true, lacks: [], exceptions: MINIO_EXCEPTIONS },
  {
    name: "fake-gcs-server",
    server: "fake-gcs",
    scheme: "gs",
    versions: true,
    lacks: ["copyIfAbsent", "sign", "tags"],
    exceptions: FAKE_GCS_EXCEPTIONS,
  },
  {
    name: "Azurite",
    server: "azurite",
    scheme: "abfs",
    versions: false,
    lacks: ["dotSegments"],
    exceptions: AZURITE_EXCEPTIONS,
  },
];

/** A prefix of its own in a bucket, for each case. */
export async function openOn(backend: ServerBackend, connection: ConnectionInput, bucket: Bucket): Promise<Harness> {
  const storage = openStorage({ connections: { it: connection }, env: {} });
  const key = randomBytes(6).toString("hex");
  const base = StoragePath.of({ scheme: backend.scheme, connectionId: "it", bucket: bucket.name, key });
  return {
    storage,
    base,
    // Nothing can take back the blocks of an Azure upload; the service drops them after a week.
    leftovers: async () =>
      (backend.scheme === "abfs" ? [] : await bucket.openUploads()).filter((open) => open.startsWith(`${key}/`)),
    async cleanup() {
      await storage.delete(base, { recursive: true });
      await storage.close();
    },
  };
}
