import { expect, test } from "vitest";
import { describeOn, useBucket } from "./servers/use.js";

for (const name of ["minio", "minio-tls", "fake-gcs", "azurite"] as const) {
  await describeOn(name, `${name} as the tests get it`, (server) => {
    const bucket = useBucket(server);
    test("a suite has an empty bucket of its own and nothing is left open in it", async () => {
      expect(bucket().name).toMatch(/^stowage-[0-9a-f]{12}$/);
      expect(await bucket().openUploads()).toEqual([]);
    });
    test("has a connection record of its own run", () => {
      expect(JSON.stringify(server.connection)).toContain(new URL(server.endpoint).host);
    });
  });
}
