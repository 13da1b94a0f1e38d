/** The conformance suite that @storagesdk/adapters ships for authors of adapters, run on stowage. */
import { storageAdapterTestSuite } from "@storagesdk/adapters/test-suite";
import { afterAll } from "vitest";
import { openStorage } from "../../../src/index.js";
import { describeOn, useBucket } from "../../servers/use.js";
import { stowageAdapter } from "./storagesdk.js";

const SCHEMES = { minio: "s3", versitygw: "s3", azurite: "abfs" } as const;

for (const name of ["minio", "versitygw", "azurite"] as const) {
  await describeOn(name, `storagesdk's suite on ${name}`, (server) => {
    const bucket = useBucket(server);
    const storage = openStorage({ connections: { it: server.connection } });
    afterAll(() => storage.close());
    storageAdapterTestSuite({
      name: "@storagesdk/adapters/test-suite",
      adapter: () => stowageAdapter(storage, `${SCHEMES[name]}://it@${bucket().name}/suite`),
      testTimeoutMs: 60_000,
    });
  });
}
