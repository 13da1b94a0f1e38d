/** Temporal's own driver for Google Cloud Storage and ours read each other's claims, on fake-gcs-server. */
import { Storage as GoogleStorage } from "@google-cloud/storage";
import { GcsStorageDriver } from "@temporalio/external-storage-gcs";
import { afterAll, expect, test } from "vitest";
import { openStorage } from "../../../src/index.js";
import { temporalDriver } from "../../../src/runtimes/temporal.js";
import { describeOn, useBucket } from "../../servers/use.js";

await describeOn("fake-gcs", "Temporal's driver for GCS", (gcs) => {
  const bucket = useBucket(gcs);
  const storage = openStorage({ connections: { lake: gcs.connection }, env: {} });
  afterAll(() => storage.close());
  const google = new GoogleStorage({ apiEndpoint: gcs.endpoint, projectId: "test" });
  const target = { kind: "workflow", namespace: "n s~", id: "a/b.", type: "t" } as const;
  const payloads = ["first", "second"].map((text) => ({
    metadata: { encoding: Buffer.from("json/plain") },
    data: Buffer.from(JSON.stringify(text)),
  }));
  const shown = (found: { data?: Uint8Array | null }[]) => found.map(({ data }) => String(Buffer.from(data!)));

  test("both have the same names, objects and claims, and read what the other has stored", async () => {
    const official = new GcsStorageDriver({
      bucket: bucket().name,
      client: {
        save: async (name, object, data) =>
          google.bucket(name).file(object).save(Buffer.from(data), { resumable: false }),
        download: async (name, object) => (await google.bucket(name).file(object).download())[0],
      },
    });
    const ours = temporalDriver({ storage, url: `gs://lake@${bucket().name}` });
    expect(ours.name).toBe(official.name);
    const mine = await ours.store({ target }, payloads);
    expect(shown(await official.retrieve({}, mine))).toEqual(['"first"', '"second"']);
    for await (const { path } of storage.list(`gs://lake@${bucket().name}`, { recursive: true }))
      await storage.delete(path);
    const theirs = await official.store({ target }, payloads);
    expect(shown(await ours.retrieve({}, theirs))).toEqual(['"first"', '"second"']);
    for (const [i, claim] of theirs.entries()) {
      const { object, object_name: name, ...rest } = mine[i]!.claimData;
      expect(claim.claimData).toMatchObject({ bucket: rest.bucket, hashValue: rest.hashValue });
      expect(name).toBe(object);
    }
  });
});
