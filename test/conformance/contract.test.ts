import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type ContractOptions, driverContract } from "../../src/testing/index.js";
import { describeOn, useBucket } from "../servers/use.js";
import { FILE, lacksOf, MEMORY, openFile, openMemory, openOn, SERVERS, serversToCheck } from "../support/backends.js";
import { contractTable } from "../support/contract-table.js";
import { type Leaks, watchLeaks } from "../support/leaks.js";

/** Some cases move many megabytes, on machines that do other things as well. */
const TIMEOUT = 180_000;

function conforms(options: ContractOptions): void {
  for (const { id, title, run, skip } of driverContract(options)) {
    it(`${id} ${title}`, { timeout: TIMEOUT, skip: skip !== undefined }, run);
  }
}

/**
 * Files and sockets. Called after the buckets are made, whose clients keep connections of their own, and so looked at
 * before they go; `others`: sockets of the client that lists open uploads are among those that are found.
 */
function leavesNothingOpen({ others = false } = {}): void {
  let leaks: Leaks;
  beforeAll(() => {
    leaks = watchLeaks();
  });
  const own = async () => (await leaks.found()).filter((name) => !others || !name.startsWith("socket:"));
  // Node's fetch, by which signed links are tried, lets go of its connections after some seconds.
  afterAll(() => vi.waitFor(async () => expect(await own()).toEqual([]), 15_000));
}

describe("memory keeps the contract", () => {
  leavesNothingOpen();
  conforms({ ...MEMORY, open: openMemory });
});
describe("file keeps the contract", () => {
  leavesNothingOpen();
  conforms({ ...FILE, open: openFile });
});

for (const backend of serversToCheck(process.env)) {
  await describeOn(backend.server, `${backend.name} keeps the contract`, (server) => {
    const bucket = useBucket(server);
    // Apart, because a bucket with versions lists directories of deleted objects on some servers.
    const versioned = backend.versions ? useBucket(server, { versioned: true }) : bucket;
    leavesNothingOpen({ others: backend.server === "minio" });
    const open = (id: string) => openOn(backend, server.connection, (id === "R23" ? versioned : bucket)());
    // What is known of an emulator says nothing of the server that the environment names.
    const lacks = lacksOf(server.connection, backend.scheme);
    conforms(server.external ? { name: backend.name, open, lacks } : { ...backend, open });
  });
}

it("only the servers that the environment names are checked, if it names any", () => {
  const names = (env: Record<string, string>) => serversToCheck(env).map(({ name }) => name);
  expect(names({ STOWAGE_TEST_S3_ENDPOINT: "http://s3.example" })).toEqual(["MinIO"]);
  expect(names({})).toEqual(["MinIO", "VersityGW", "fake-gcs-server", "Azurite"]);
});

it("an S3 server of an unknown kind is checked without what its profile does not promise", () => {
  const extra = { endpoint_url: "http://s3.example" };
  expect(lacksOf({ type: "aws", extra }, "s3")).toEqual(["conditions", "copyIfAbsent"]);
  expect(lacksOf({ type: "aws", extra: { ...extra, provider: "minio" } }, "s3")).toEqual([]);
  expect(lacksOf({ type: "google_cloud_platform" }, "gs")).toEqual([]);
});

it("docs/contract.md says what is checked here", async () => {
  await expect(contractTable([MEMORY, FILE, ...SERVERS])).toMatchFileSnapshot("../../docs/contract.md");
});
