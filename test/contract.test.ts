import { describe, it } from "vitest";
import { type ContractOptions, driverContract } from "../src/testing/index.js";
import { describeOn, useBucket } from "./servers/use.js";
import { FILE, MEMORY, openFile, openMemory, openOn, SERVERS } from "./support/backends.js";

/** Some cases move many megabytes, on machines that do other things as well. */
const TIMEOUT = 180_000;

function conforms(options: ContractOptions): void {
  for (const { id, title, run, skip } of driverContract(options)) {
    it(`${id} ${title}`, { timeout: TIMEOUT, skip: skip !== undefined }, run);
  }
}

describe("memory keeps the contract", () => conforms({ ...MEMORY, open: openMemory }));
describe("file keeps the contract", () => conforms({ ...FILE, open: openFile }));

for (const backend of SERVERS) {
  await describeOn(backend.server, `${backend.name} keeps the contract`, (server) => {
    const bucket = useBucket(server, { versioned: backend.versioned });
    conforms({ ...backend, open: () => openOn(backend, server.connection as string, bucket()) });
  });
}
