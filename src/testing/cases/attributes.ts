import assert from "node:assert/strict";
import type { ObjectInfo } from "../../fs/driver/index.js";
import type { WriteOptions } from "../../fs/index.js";
import { StoragePath } from "../../path.js";
import { expectRejection, type Spec, type TestContext } from "../bench.js";

const HEADERS = {
  contentType: "text/plain; charset=utf-8",
  cacheControl: "public, max-age=31536000, immutable",
  contentDisposition: "attachment; filename=\"a b.txt\"; filename*=UTF-8''%E2%82%AC.txt",
  contentEncoding: "identity-of-ours",
  contentLanguage: "de, en",
};
const ALL = { ...HEADERS, metadata: { owner: "team a", stage: "Prüfung" } };
const TAGS = { project: "stowage", "cost center": "a+b=c/d" };

type Described = Pick<WriteOptions, keyof typeof ALL | "tags">;

/** Returns the attributes of `info` that the cases set. */
function described(info: ObjectInfo): Described {
  const { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, metadata, tags } = info;
  const found = { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, metadata, tags };
  const set = Object.entries(found).filter(([, value]) => value !== undefined);
  return Object.fromEntries(set.map(([name, value]) => [name, typeof value === "object" ? { ...value } : value]));
}

/** Returns a place outside the provider that keeps attributes; the other place of memory is a folder. */
function abroad({ base, other }: TestContext): StoragePath {
  return other.scheme === "file"
    ? StoragePath.of({ scheme: base.scheme, bucket: base.bucket, key: `${base.key}-abroad` })
    : other;
}

async function has({ storage }: TestContext, path: StoragePath, expected: Described): Promise<void> {
  const info = await storage.stat(path, { tags: expected.tags !== undefined });
  assert.deepEqual(described(info), expected, String(path));
}

export const attributeCases: readonly Spec[] = [
  {
    id: "A01",
    title: "every attribute of a write is in the metadata of the object; a later write without them has none",
    needs: ["attributes"],
    async run(bench) {
      await bench.write("x", "1", ALL);
      await has(bench, bench.at("x"), ALL);
      await bench.write("large", new Uint8Array(9 * 2 ** 20), ALL);
      await has(bench, bench.at("large"), ALL);
      await bench.write("x", "2", { contentType: "text/css" });
      await has(bench, bench.at("x"), { contentType: "text/css" });
    },
    async without(bench) {
      for (const name of ["cacheControl", "contentDisposition", "contentEncoding", "contentLanguage"])
        await expectRejection(bench.write("x", "1", { [name]: "a" }), "Unsupported", name);
      await expectRejection(bench.storage.setAttributes(bench.at("x"), { cacheControl: "a" }), "Unsupported");
      await bench.missing("x");
    },
  },
  {
    id: "A02",
    title: "a copy inside the provider keeps the attributes; replace overrides some, drop leaves them out",
    needs: ["attributes"],
    async run(bench) {
      const { storage } = bench;
      const [x, y] = [bench.at("x"), bench.at("y")];
      await bench.write("x", "1", ALL);
      await storage.copy(x, y);
      await has(bench, y, ALL);
      await storage.copy(x, y, { replace: { cacheControl: "no-store" } });
      await has(bench, y, { ...ALL, cacheControl: "no-store" });
      await storage.copy(x, y, { replace: { metadata: { other: "1" } } });
      await has(bench, y, { ...ALL, metadata: { other: "1" } });
      await storage.copy(x, y, { attributes: "drop", replace: { contentType: "text/csv", contentLanguage: "fr" } });
      await has(bench, y, { contentType: "text/csv", contentLanguage: "fr" });
      await bench.holds("y", "1");
      await storage.move(x, bench.at("d/z"), { replace: { contentLanguage: "fr" } });
      await has(bench, bench.at("d/z"), { ...ALL, contentLanguage: "fr" });
      await bench.missing("x");
    },
  },
  {
    id: "A03",
    title: "a create-only copy keeps the attributes",
    needs: ["attributes", "copyIfAbsent"],
    async run(bench) {
      await bench.write("x", "1", ALL);
      await bench.storage.copy(bench.at("x"), bench.at("y"), { ifAbsent: true });
      await has(bench, bench.at("y"), ALL);
    },
  },
  {
    id: "A04",
    title: "a copy to another provider and back keeps the attributes, recursive ones too",
    needs: ["attributes"],
    async run(bench) {
      const { storage } = bench;
      const other = abroad(bench);
      await bench.write("d/x", "1", ALL);
      await bench.write("d/y", "2", { contentType: "text/css" });
      await storage.copy(bench.at("d"), bench.at("there", other), { recursive: true });
      await has(bench, bench.at("there/x", other), ALL);
      await storage.copy(bench.at("there", other), bench.at("back"), {
        recursive: true,
        replace: { cacheControl: "no-store" },
      });
      await has(bench, bench.at("back/x"), { ...ALL, cacheControl: "no-store" });
      await has(bench, bench.at("back/y"), { contentType: "text/css", cacheControl: "no-store" });
    },
    async without(bench) {
      const { storage, other } = bench;
      await storage.write(bench.at("x", other), "1", ALL);
      const asked = storage.copy(bench.at("x", other), bench.at("x"), { attributes: "keep" });
      await expectRejection(asked, "Unsupported");
      await bench.missing("x");
      await storage.copy(bench.at("x", other), bench.at("x"));
      await bench.holds("x", "1");
    },
  },
  {
    id: "A05",
    title: "attributes change in place: those named change, null removes, the others and the bytes stay",
    needs: ["attributes"],
    async run(bench) {
      const { storage } = bench;
      const x = bench.at("x");
      await bench.write("x", "the bytes", ALL);
      const { etag } = await storage.setAttributes(x, { cacheControl: "no-cache", contentLanguage: null });
      const { contentLanguage: _, ...rest } = ALL;
      await has(bench, x, { ...rest, cacheControl: "no-cache" });
      assert.equal(await bench.etag("x"), etag);
      await storage.setAttributes(x, { metadata: { owner: "team b" } }, { ifMatch: etag! });
      await has(bench, x, { ...rest, cacheControl: "no-cache", metadata: { owner: "team b" } });
      await storage.setAttributes(x, { metadata: null });
      const { metadata: __, ...headers } = rest;
      await has(bench, x, { ...headers, cacheControl: "no-cache" });
      await bench.holds("x", "the bytes");
    },
  },
  {
    id: "A06",
    title: "a change in place fails for another etag, a missing object, and without a change",
    needs: ["attributes"],
    async run(bench) {
      const { storage } = bench;
      const x = bench.at("x");
      await expectRejection(storage.setAttributes(x, { cacheControl: "a" }), "NotFound");
      const { etag } = await bench.write("x", "1", ALL);
      await bench.write("x", "2", ALL);
      await expectRejection(storage.setAttributes(x, { cacheControl: "a" }, { ifMatch: etag! }), "PreconditionFailed");
      await expectRejection(storage.setAttributes(x, {}), "InvalidArgument");
      await expectRejection(storage.setAttributes(x, { cacheContol: "a" } as never), "InvalidArgument");
      await has(bench, x, ALL);
    },
  },
  {
    id: "A07",
    title: "tags are written, read on request, counted, copied and replaced",
    needs: ["tags"],
    async run(bench) {
      const { storage } = bench;
      const other = abroad(bench);
      const [x, y] = [bench.at("x"), bench.at("y")];
      const all = { contentType: "text/css", tags: TAGS };
      await bench.write("x", "1", all);
      await has(bench, x, all);
      const { tags, tagCount } = await storage.stat(x);
      assert.deepEqual([tags, tagCount], [undefined, 2]);
      await bench.write("large", new Uint8Array(9 * 2 ** 20), all);
      await has(bench, bench.at("large"), all);
      await storage.copy(x, y);
      await has(bench, y, all);
      await storage.copy(x, bench.at("t", other));
      await has(bench, bench.at("t", other), all);
      await storage.copy(bench.at("t", other), bench.at("back"));
      await has(bench, bench.at("back"), all);
      await storage.copy(x, y, { replace: { tags: { a: "1" } } });
      await has(bench, y, { ...all, tags: { a: "1" } });
      await storage.setAttributes(y, { tags: { b: "2" } });
      await has(bench, y, { ...all, tags: { b: "2" } });
      await storage.setAttributes(y, { contentType: "text/csv" });
      await has(bench, y, { contentType: "text/csv", tags: { b: "2" } });
      await storage.setAttributes(y, { tags: null });
      await has(bench, y, { contentType: "text/csv", tags: {} });
    },
    async without(bench) {
      const { storage, other } = bench;
      await expectRejection(bench.write("x", "1", { tags: TAGS }), "Unsupported");
      await bench.missing("x");
      await storage.write(bench.at("x", other), "1", { tags: TAGS });
      await expectRejection(storage.copy(bench.at("x", other), bench.at("x"), { attributes: "keep" }), "Unsupported");
      await bench.missing("x");
      await storage.copy(bench.at("x", other), bench.at("x"), { attributes: "drop" });
      await bench.holds("x", "1");
    },
  },
  {
    id: "A08",
    title: "a create-only copy keeps the tags",
    needs: ["tags", "copyIfAbsent"],
    async run(bench) {
      await bench.write("x", "1", { contentType: "text/css", tags: TAGS });
      await bench.storage.copy(bench.at("x"), bench.at("y"), { ifAbsent: true });
      await has(bench, bench.at("y"), { contentType: "text/css", tags: TAGS });
    },
  },
  {
    id: "A09",
    title: "attributes that no provider stores are InvalidArgument, before anything is written",
    needs: ["attributes"],
    async run(bench) {
      const wrong: WriteOptions[] = [
        { cacheControl: "a\r\nx-evil: 1" },
        { contentDisposition: 'attachment; filename="€"' },
        { contentLanguage: 1 as never },
        { metadata: { "two words": "" } },
      ];
      for (const init of wrong)
        await expectRejection(bench.write("x", "1", init), "InvalidArgument", JSON.stringify(init));
      await bench.missing("x");
      await bench.write("x", "1");
      for (const replace of [...wrong, { cacheContol: "a" } as never])
        await expectRejection(bench.storage.copy(bench.at("x"), bench.at("y"), { replace }), "InvalidArgument");
      await expectRejection(
        bench.storage.copy(bench.at("x"), bench.at("y"), { attributes: "none" as never }),
        "InvalidArgument",
      );
      await bench.missing("y");
    },
  },
  {
    id: "A10",
    title: "more than ten tags, long ones and those with other characters are InvalidArgument",
    needs: ["tags"],
    async run(bench) {
      const many = Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`t${index}`, ""]));
      const wrong = [many, { ["n".repeat(129)]: "" }, { n: "v".repeat(257) }, { "": "v" }, { a: "<>" }, { a: "1\n" }];
      for (const tags of wrong)
        await expectRejection(bench.write("x", "1", { tags }), "InvalidArgument", JSON.stringify(tags).slice(0, 60));
      await bench.missing("x");
    },
  },
];
