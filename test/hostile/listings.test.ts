/** A recursive delete acts on what a listing says, so a listing says what can be, once, and ends. */
import { describe, expect, test } from "vitest";
import { openStorage } from "../../src/open.js";
import { CLOUDS, codeOf, hostile, LISTING_CLOUDS, on, type Reply, type Row } from "./support.js";

const SLASH = { delimiter: "/" } as const;

describe.each(LISTING_CLOUDS)("$name", (cloud) => {
  test("rows that can be are listed, each once, and the pages end", async () => {
    const pages = [
      cloud.listing({ rows: [{ key: "d/a" }, { key: "d/b" }], directories: ["d/c/"], next: "t1" }),
      cloud.listing({ next: "t2" }),
      cloud.listing({ rows: [{ key: "d/d" }], directories: ["d/c/"] }),
    ];
    const { subject, asked } = await on(cloud, (_, count) => pages[count - 1]!);
    expect(await subject.keys("d/", SLASH)).toEqual(["d/a", "d/b", "d/c/", "d/d"]);
    expect(asked.map(({ url }) => url.searchParams.get(cloud.mark))).toEqual([null, "t1", "t2"]);
  });

  test.each<[string, Row, RegExp]>([
    ["outside of the prefix", { key: "e/a" }, /name/],
    ["that is a prefix of the prefix", { key: "d" }, /name/],
    ["with an empty name", { key: "" }, /name/],
    ["with a size that is no number", { size: "abc" }, /size/],
    ["with a negative size", { size: "-1" }, /size/],
    ["with a size in hexadecimal", { size: "0x10" }, /size/],
    ["with a size beyond all numbers", { size: "99999999999999999999" }, /size/],
    ["with half a byte", { size: "1.5" }, /size/],
    ["with a date that is none", { modified: "yesterday evening" }, /date|updated/],
    ["with a number for a date", { modified: "1" }, /date|updated/],
  ])("a row %s is Corrupt and names the field", async (_, row, field) => {
    const { subject } = await on(cloud, () => cloud.listing({ rows: [{ key: "d/0" }, row] }));
    const error = await subject.keys("d/").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "Corrupt", detail: expect.stringMatching(field) });
  });

  test("a row inside a directory that was to be listed instead is Corrupt", async () => {
    const { subject } = await on(cloud, () => cloud.listing({ rows: [{ key: "d/a/b" }] }));
    expect(await codeOf(subject, subject.keys("d/", SLASH))).toBe("Corrupt");
    expect(await subject.keys("d/")).toEqual(["d/a/b"]);
  });

  test.each([["e/"], ["d/"], ["d/a"], ["d/a/b/"]])("%s is no directory in d/", async (directory) => {
    const { subject } = await on(cloud, () => cloud.listing({ directories: [directory] }));
    expect(await codeOf(subject, subject.keys("d/", SLASH))).toBe("Corrupt");
  });

  test("a key that comes twice is listed once, and is Corrupt as two objects", async () => {
    const twice = (size: string) => cloud.listing({ rows: [{ key: "d/a" }, { key: "d/a", size }] });
    const { subject } = await on(cloud, (_, count) => twice(count === 1 ? "1" : "2"));
    expect(await subject.keys("d/")).toEqual(["d/a"]);
    expect(await codeOf(subject, subject.keys("d/"))).toBe("Corrupt");
  });

  test("the row at which the next page begins is listed once", async () => {
    const pages = [cloud.listing({ rows: [{ key: "d/a" }], next: "t" }), cloud.listing({ rows: [{ key: "d/a" }] })];
    const { subject } = await on(cloud, (_, count) => pages[count - 1]!);
    expect(await subject.keys("d/")).toEqual(["d/a"]);
  });

  test.each([
    ["repeat", ["a"], 2],
    ["alternate", ["a", "b"], 4],
    ["go round in a circle of five", ["a", "b", "c", "d", "e"], 20],
    ["lead into a circle", ["x", "y", "z", "a", "b"], 20],
  ])("marks that %s are Corrupt after few pages", async (_, marks, most) => {
    const markOf = (count: number) => marks[count <= marks.length ? count - 1 : (count - 1) % marks.length];
    const { subject, asked } = await on(cloud, (_asked, count) => cloud.listing({ next: markOf(count)! }));
    expect(await codeOf(subject, subject.keys("d/"))).toBe("Corrupt");
    expect(asked.length).toBeLessThanOrEqual(most);
  });

  test("new marks over the same rows for ever are Corrupt", async () => {
    const { subject, asked } = await on(cloud, (_, count) =>
      cloud.listing({ rows: [{ key: "d/a" }, { key: `d/b` }], next: `t${count}` }),
    );
    expect(await codeOf(subject, subject.keys("d/"))).toBe("Corrupt");
    expect(asked.length).toBeLessThan(20);
  });

  test("nothing is deleted after a row that cannot be", async () => {
    const { endpoint, asked } = await hostile(() => cloud.listing({ rows: [{ key: "other/precious" }] }));
    const { driver } = await cloud.open(endpoint);
    await using storage = openStorage({ drivers: [{ schemes: ["x"], open: () => driver }], env: {} });
    await expect(storage.delete("x://bucket/d", { recursive: true })).rejects.toMatchObject({ code: "Corrupt" });
    expect(asked.filter(({ method }) => method !== "GET" && method !== "HEAD")).toEqual([]);
  });
});

describe.each(LISTING_CLOUDS.filter(({ good }) => good.list.body?.includes("ListBucket")))("keys of $name", (cloud) => {
  const row = (key: string) =>
    `<Contents><Key>${key}</Key><Size>1</Size><LastModified>2026-02-01T00:00:00Z</LastModified></Contents>`;
  const kinds = (key: string, from: string) =>
    ["Version", "DeleteMarker"].map(
      (kind) =>
        `<${kind}><Key>${key}</Key><VersionId>${kind}</VersionId><IsLatest>true</IsLatest><LastModified>${from}</LastModified><Size>1</Size></${kind}>`,
    );

  test.each([
    ["are decoded where the server has encoded them", "<EncodingType>url</EncodingType>", "d/a b"],
    ["are taken as they are where it has not", "", "d/a+b"],
  ])("%s", async (_, encoding, key) => {
    const { subject } = await on(cloud, () => ({
      body: `<R><IsTruncated>false</IsTruncated>${row("d/a+b")}<CommonPrefixes><Prefix>d/a+b/</Prefix></CommonPrefixes>${encoding}</R>`,
    }));
    expect(await subject.keys("d/", { delimiter: "/" })).toEqual([key, `${key}/`]);
  });

  test.each([
    ["decoded", "<EncodingType>url</EncodingType>", "d/a b"],
    ["taken as they are", "", "d/a+b"],
  ])("of versions, delete markers and marks of pages are %s", async (_, encoding, key) => {
    const rows = kinds("d/a+b", "2026-02-01T00:00:00Z").join("");
    const more = `<NextKeyMarker>d/a+b</NextKeyMarker><NextVersionIdMarker>v</NextVersionIdMarker>`;
    const { subject, asked } = await on(cloud, (_asked, count) => ({
      body: `<R>${encoding}<IsTruncated>${count === 1}</IsTruncated>${count === 1 ? rows + more : ""}</R>`,
    }));
    const items = await subject.items("d/", { versions: true });
    expect(items.map((item) => item.key)).toEqual([key, key]);
    expect(asked[1]?.url.searchParams.get("key-marker")).toBe(key);
  });

  test("a recursive delete deletes the keys that are there", async () => {
    const { endpoint, asked } = await hostile(({ method }) =>
      method === "POST"
        ? { body: "<DeleteResult/>" }
        : { body: `<R><IsTruncated>false</IsTruncated>${row("d/a+b")}${row("d/c")}</R>` },
    );
    const { driver } = await cloud.open(endpoint);
    await using storage = openStorage({ drivers: [{ schemes: ["x"], open: () => driver }], env: {} });
    await storage.delete("x://bucket/d", { recursive: true });
    expect(String(asked.find(({ method }) => method === "POST")?.body)).toContain("<Key>d/a+b</Key>");
  });

  test("U+2028 and U+0085 go as references into DeleteObjects", async () => {
    if (cloud.name !== "s3") return;
    const { subject, asked } = await on(cloud, () => cloud.good.deleteBatch);
    await subject.delete("a\u2028", "b\u0085");
    expect(String(asked[0]?.body)).toContain("<Key>a&#8232;</Key>");
    expect(String(asked[0]?.body)).toContain("<Key>b&#133;</Key>");
  });

  test("a bulk delete that reports a key which was not to be deleted is Corrupt", async () => {
    const { subject } = await on(cloud, () => ({
      body: "<DeleteResult><Error><Key>other</Key><Code>SlowDown</Code></Error></DeleteResult>",
    }));
    expect(await codeOf(subject, subject.delete("a", "b"))).toBe("Corrupt");
  });
});

describe("JSON that is something else", () => {
  const gcs = CLOUDS[1]!;
  const good = { name: "k", size: "1", updated: "2026-02-01T00:00:00Z", generation: "1" };

  test.each<[string, unknown]>([
    ["a list for the document", []],
    ["a text for the rows", { kind: "x", items: "abc" }],
    ["a number for a row", { items: [1] }],
    ["null for a row", { items: [null] }],
    ["a number for a name", { items: [{ ...good, name: 1 }] }],
    ["an object for a size", { items: [{ ...good, size: {} }] }],
    ["a number for a date", { items: [{ ...good, updated: 1 }] }],
    ["a generation with letters", { items: [{ ...good, generation: "x" }] }],
    ["a row without a size", { items: [{ ...good, size: undefined }] }],
    ["a number for a token", { kind: "x", nextPageToken: 1 }],
    ["an object for a token", { kind: "x", nextPageToken: {} }],
  ])("%s ends a listing with a typed error", async (_, document) => {
    const { subject } = await on(gcs, (): Reply => ({ body: JSON.stringify(document) }));
    expect(["Corrupt", "Unavailable"]).toContain(await codeOf(subject, subject.keys("")));
  });

  test.each<[string, unknown]>([
    ["metadata of numbers", { ...good, metadata: { a: 1 } }],
    ["a list for metadata", { ...good, metadata: ["a"] }],
    ["an object for a type", { ...good, contentType: {} }],
    ["an object for an MD5", { ...good, md5Hash: {} }],
    ["no size", { ...good, size: undefined }],
    ["no date", { ...good, updated: undefined }],
    ["no generation", { ...good, generation: undefined }],
  ])("%s makes a stat Corrupt", async (_, document) => {
    const { subject } = await on(gcs, (): Reply => ({ body: JSON.stringify(document) }));
    expect(await codeOf(subject, subject.stat("k"))).toBe("Corrupt");
  });

  test.each<[string, unknown]>([
    ["a number for the generation", { generation: 5 }],
    ["an object for the generation", { generation: {} }],
    ["no generation", { kind: "x" }],
  ])("%s after a write is CommitUnknown", async (_, document) => {
    const { subject } = await on(gcs, (): Reply => ({ body: JSON.stringify(document) }));
    expect(await codeOf(subject, subject.write("k", "x"))).toBe("CommitUnknown");
  });
});

test.each([true, false])("a server that walks folders has all its keys listed, with ordered: %s", async (ordered) => {
  // In the order of keys, d/a-b comes before d/a/0000.
  const walked = [...Array.from({ length: 9000 }, (_, i) => `d/a/${String(i).padStart(4, "0")}`), "d/a-b"];
  const [s3] = LISTING_CLOUDS;
  const { endpoint } = await hostile(({ url: { searchParams } }) => {
    const after = searchParams.get("start-after");
    const from = Number(searchParams.get("continuation-token") ?? 0);
    const rows = walked.filter((key) => after === null || key > after).map((key) => ({ key }));
    const next = from + 1000 < rows.length ? { next: String(from + 1000) } : {};
    return s3!.listing({ rows: rows.slice(from, from + 1000), ...next });
  });
  const extra = { endpoint_url: endpoint, provider: "versitygw", region_name: "us-east-1" };
  const connections = { it: { type: "aws", login: "user", password: "secret", extra } };
  await using storage = openStorage({ env: {}, connections });
  const found = new Set<string>();
  for await (const { key } of storage.list("s3://it@bucket/d", { recursive: true, ordered })) found.add(key);
  expect(found.size).toBe(walked.length);
});
