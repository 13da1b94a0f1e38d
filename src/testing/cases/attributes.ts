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
    async run(context) {
      await context.write("x", "1", ALL);
      await has(context, context.at("x"), ALL);
      await context.write("large", new Uint8Array(9 * 2 ** 20), ALL);
      await has(context, context.at("large"), ALL);
      await context.write("x", "2", { contentType: "text/css" });
      await has(context, context.at("x"), { contentType: "text/css" });
    },
    async without(context) {
      for (const name of ["cacheControl", "contentDisposition", "contentEncoding", "contentLanguage"])
        await expectRejection(context.write("x", "1", { [name]: "a" }), "Unsupported", name);
      await expectRejection(context.storage.setAttributes(context.at("x"), { cacheControl: "a" }), "Unsupported");
      await context.missing("x");
    },
  },
  {
    id: "A02",
    title: "a copy inside the provider keeps the attributes; replace overrides some, drop leaves them out",
    needs: ["attributes"],
    async run(context) {
      const { storage } = context;
      const [x, y] = [context.at("x"), context.at("y")];
      await context.write("x", "1", ALL);
      await storage.copy(x, y);
      await has(context, y, ALL);
      await storage.copy(x, y, { replace: { cacheControl: "no-store" } });
      await has(context, y, { ...ALL, cacheControl: "no-store" });
      await storage.copy(x, y, { replace: { metadata: { other: "1" } } });
      await has(context, y, { ...ALL, metadata: { other: "1" } });
      await storage.copy(x, y, { attributes: "drop", replace: { contentType: "text/csv", contentLanguage: "fr" } });
      await has(context, y, { contentType: "text/csv", contentLanguage: "fr" });
      await context.holds("y", "1");
      await storage.move(x, context.at("d/z"), { replace: { contentLanguage: "fr" } });
      await has(context, context.at("d/z"), { ...ALL, contentLanguage: "fr" });
      await context.missing("x");
    },
  },
  {
    id: "A03",
    title: "a create-only copy keeps the attributes",
    needs: ["attributes", "copyIfAbsent"],
    async run(context) {
      await context.write("x", "1", ALL);
      await context.storage.copy(context.at("x"), context.at("y"), { ifAbsent: true });
      await has(context, context.at("y"), ALL);
    },
  },
  {
    id: "A04",
    title: "a copy to another provider and back keeps the attributes, recursive ones too",
    needs: ["attributes"],
    async run(context) {
      const { storage } = context;
      const other = abroad(context);
      await context.write("d/x", "1", ALL);
      await context.write("d/y", "2", { contentType: "text/css" });
      await storage.copy(context.at("d"), context.at("there", other), { recursive: true });
      await has(context, context.at("there/x", other), ALL);
      await storage.copy(context.at("there", other), context.at("back"), {
        recursive: true,
        replace: { cacheControl: "no-store" },
      });
      await has(context, context.at("back/x"), { ...ALL, cacheControl: "no-store" });
      await has(context, context.at("back/y"), { contentType: "text/css", cacheControl: "no-store" });
    },
    async without(context) {
      const { storage, other } = context;
      await storage.write(context.at("x", other), "1", ALL);
      const asked = storage.copy(context.at("x", other), context.at("x"), { attributes: "keep" });
      await expectRejection(asked, "Unsupported");
      await context.missing("x");
      await storage.copy(context.at("x", other), context.at("x"));
      await context.holds("x", "1");
    },
  },
  {
    id: "A05",
    title: "attributes change in place: those named change, null removes, the others and the bytes stay",
    needs: ["attributes"],
    async run(context) {
      const { storage } = context;
      const x = context.at("x");
      await context.write("x", "the bytes", ALL);
      const { etag } = await storage.setAttributes(x, { cacheControl: "no-cache", contentLanguage: null });
      const { contentLanguage: _, ...rest } = ALL;
      await has(context, x, { ...rest, cacheControl: "no-cache" });
      assert.equal(await context.etag("x"), etag);
      await storage.setAttributes(x, { metadata: { owner: "team b" } }, { ifMatch: etag! });
      await has(context, x, { ...rest, cacheControl: "no-cache", metadata: { owner: "team b" } });
      await storage.setAttributes(x, { metadata: null });
      const { metadata: __, ...headers } = rest;
      await has(context, x, { ...headers, cacheControl: "no-cache" });
      await context.holds("x", "the bytes");
    },
  },
  {
    id: "A06",
    title: "a change in place fails for another etag, a missing object, and without a change",
    needs: ["attributes"],
    async run(context) {
      const { storage } = context;
      const x = context.at("x");
      const { op } = await expectRejection(storage.setAttributes(x, { cacheControl: "a" }), "NotFound");
      assert.equal(op, "setAttributes");
      const { etag } = await context.write("x", "1", ALL);
      await context.write("x", "2", ALL);
      await expectRejection(storage.setAttributes(x, { cacheControl: "a" }, { ifMatch: etag! }), "PreconditionFailed");
      await expectRejection(storage.setAttributes(x, {}), "InvalidArgument");
      await expectRejection(storage.setAttributes(x, { cacheContol: "a" } as never), "InvalidArgument");
      await has(context, x, ALL);
    },
  },
  {
    id: "A07",
    title: "tags are written, read on request, counted, copied and replaced",
    needs: ["tags"],
    async run(context) {
      const { storage } = context;
      const other = abroad(context);
      const [x, y] = [context.at("x"), context.at("y")];
      const all = { contentType: "text/css", tags: TAGS };
      await context.write("x", "1", all);
      await has(context, x, all);
      const { tags, tagCount } = await storage.stat(x);
      assert.deepEqual([tags, tagCount], [undefined, 2]);
      await context.write("large", new Uint8Array(9 * 2 ** 20), all);
      await has(context, context.at("large"), all);
      await storage.copy(x, y);
      await has(context, y, all);
      await storage.copy(x, context.at("t", other));
      await has(context, context.at("t", other), all);
      await storage.copy(context.at("t", other), context.at("back"));
      await has(context, context.at("back"), all);
      await storage.copy(x, y, { replace: { tags: { a: "1" } } });
      await has(context, y, { ...all, tags: { a: "1" } });
      await storage.setAttributes(y, { tags: { b: "2" } });
      await has(context, y, { ...all, tags: { b: "2" } });
      await storage.setAttributes(y, { contentType: "text/csv" });
      await has(context, y, { contentType: "text/csv", tags: { b: "2" } });
      await storage.setAttributes(y, { tags: null });
      await has(context, y, { contentType: "text/csv", tags: {} });
    },
    async without(context) {
      const { storage, other } = context;
      await expectRejection(context.write("x", "1", { tags: TAGS }), "Unsupported");
      await context.missing("x");
      await storage.write(context.at("x", other), "1", { tags: TAGS });
      await expectRejection(
        storage.copy(context.at("x", other), context.at("x"), { attributes: "keep" }),
        "Unsupported",
      );
      await context.missing("x");
      await storage.copy(context.at("x", other), context.at("x"), { attributes: "drop" });
      await context.holds("x", "1");
    },
  },
  {
    id: "A08",
    title: "a create-only copy keeps the tags",
    needs: ["tags", "copyIfAbsent"],
    async run(context) {
      await context.write("x", "1", { contentType: "text/css", tags: TAGS });
      await context.storage.copy(context.at("x"), context.at("y"), { ifAbsent: true });
      await has(context, context.at("y"), { contentType: "text/css", tags: TAGS });
    },
  },
  {
    id: "A09",
    title: "attributes that no provider stores are InvalidArgument, before anything is written",
    needs: ["attributes"],
    async run(context) {
      const wrong: WriteOptions[] = [
        { cacheControl: "a\r\nx-evil: 1" },
        { contentDisposition: 'attachment; filename="€"' },
        { contentLanguage: 1 as never },
        { metadata: { "two words": "" } },
        { contentType: "" },
        { cacheControl: "" },
        { contentEncoding: "" },
      ];
      for (const options of wrong)
        await expectRejection(context.write("x", "1", options), "InvalidArgument", JSON.stringify(options));
      await context.missing("x");
      await context.write("x", "1");
      for (const replace of [...wrong, { cacheContol: "a" } as never])
        await expectRejection(context.storage.copy(context.at("x"), context.at("y"), { replace }), "InvalidArgument");
      await expectRejection(
        context.storage.copy(context.at("x"), context.at("y"), { attributes: "none" as never }),
        "InvalidArgument",
      );
      await context.missing("y");
      const changed = context.storage.setAttributes(context.at("x"), { contentType: "", contentLanguage: "de" });
      await expectRejection(changed, "InvalidArgument");
      assert.equal((await context.storage.stat(context.at("x"))).contentLanguage, undefined);
    },
  },
  {
    id: "A10",
    title: "more than ten tags, long ones and those with other characters are InvalidArgument",
    needs: ["tags"],
    async run(context) {
      const many = Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`t${index}`, ""]));
      const wrong = [many, { ["n".repeat(129)]: "" }, { n: "v".repeat(257) }, { "": "v" }, { a: "<>" }, { a: "1\n" }];
      for (const tags of wrong)
        await expectRejection(context.write("x", "1", { tags }), "InvalidArgument", JSON.stringify(tags).slice(0, 60));
      await context.missing("x");
    },
  },
];
