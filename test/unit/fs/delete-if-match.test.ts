/** A delete with a condition: of one object, in the state that the caller has seen. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStorage } from "../../../src/index.js";
import { describeOn, useBucket } from "../../servers/use.js";
import { all } from "../../support/all.js";
import { failed } from "../../support/failed.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stowage-if-match-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function behaves(open: () => { storage: ReturnType<typeof openStorage>; base: string }): void {
  test("deletes what was seen, and nothing that was written since", async () => {
    const { storage, base } = open();
    const path = `${base}/a`;
    await storage.write(path, "one");
    const seen = await storage.stat(path);
    await storage.write(path, "two");
    for (const ifMatch of [seen, seen.etag])
      expect(await failed(storage.delete(path, { ifMatch }))).toMatchObject({
        code: "PreconditionFailed",
        op: "delete",
      });
    expect(await storage.text(path)).toBe("two");
    const [listed] = await all(storage.list(base));
    await storage.delete(path, { ifMatch: listed! });
    expect(await storage.exists(path)).toBe(false);
    await storage.delete(path, { ifMatch: listed! });
  });

  test("is refused where it could mean more than one object, or has no state", async () => {
    const { storage, base } = open();
    for (const [path, options] of [
      [base, { recursive: true, ifMatch: '"1"' }],
      [`${base}/a`, { version: "1", ifMatch: '"1"' }],
      [`${base}/a`, { ifMatch: "" }],
      [`${base}/a`, { ifMatch: {} }],
      [[`${base}/a`, `${base}/b`], { ifMatch: '"1"' }],
      [[], { ifMatch: '"1"' }],
    ] as const)
      expect(await failed(storage.delete(path, options))).toMatchObject({ code: "InvalidArgument", attempts: 0 });
  });
}

describe("memory", () => behaves(() => ({ storage: openStorage(), base: "memory://b/x" })));
describe("files", () => behaves(() => ({ storage: openStorage(), base: `file://${folder}/x` })));

await describeOn("minio", "S3", (server) => {
  const bucket = useBucket(server);
  const open = () => ({
    storage: openStorage({ connections: { it: server.connection } }),
    base: `s3://it@${bucket().name}/x`,
  });
  behaves(open);

  test("equal content has an equal etag: the time shows that it was written again", async () => {
    const { storage, base } = open();
    await storage.write(`${base}/same`, "same");
    const { etag, modified } = await storage.stat(`${base}/same`);
    const earlier = new Date(modified!.getTime() - 60_000);
    const error = await failed(storage.delete(`${base}/same`, { ifMatch: { etag, modified: earlier } }));
    expect(error).toMatchObject({ code: "PreconditionFailed" });
    await storage.delete(`${base}/same`, { ifMatch: { etag, modified } });
  });
});
