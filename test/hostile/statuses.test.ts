/** Each verb takes the statuses and the fields of its protocol for a success, and nothing else. */
import { describe, expect, test } from "vitest";
import { CLOUDS, type Cloud, codeOf, DATA, LISTING_CLOUDS, on, PAGE, RETRYABLE, VERBS, type Verb } from "./support.js";

const SUCCESSES = [200, 201, 202, 203, 204, 206, 226];
const verbs = Object.keys(VERBS) as Verb[];

/** The answer to the look at the source of a copy, which only Azure's needs. */
function ofSource({ good }: Cloud, verb: Verb, method: string | undefined) {
  return verb === "copy" && method === "HEAD" ? good.stat : undefined;
}

describe.each(CLOUDS)("$name", (cloud) => {
  test.each(verbs)("%s works when it is answered as it should be", async (verb) => {
    const { subject } = await on(cloud, ({ method }) => ofSource(cloud, verb, method) ?? cloud.good[verb]);
    expect(await codeOf(subject, VERBS[verb](subject))).toBe(undefined);
  });

  const wrong = verbs.flatMap((verb) =>
    SUCCESSES.filter((status) => !cloud.statuses[verb].includes(status)).map((status) => [verb, status] as const),
  );
  test.each(wrong)("%s answered %i fails, and not as something that passes", async (verb, status) => {
    const { subject } = await on(cloud, ({ method }) => {
      // The look at what became of a write finds nothing.
      if (verb === "write" && method !== "PUT" && method !== "POST") return { status: 404 };
      return ofSource(cloud, verb, method) ?? { ...cloud.good[verb], status };
    });
    const code = await codeOf(subject, VERBS[verb](subject));
    expect(code).toBeDefined();
    expect(RETRYABLE).not.toContain(code);
    if (verb === "write") expect(code).toBe("CommitUnknown");
  });

  test.each(verbs)("%s answered with a page to log in fails", async (verb) => {
    const status = cloud.good[verb].status ?? 200;
    // A status without a body cannot have the page.
    const page = { status: status === 204 ? 200 : status, body: PAGE };
    const { subject } = await on(cloud, ({ method }) => ofSource(cloud, verb, method) ?? page);
    const code = await codeOf(subject, VERBS[verb](subject));
    expect(code).toBeDefined();
  });

  test.each([
    ["a page to log in", PAGE],
    ["plain text", "no such route"],
  ])("delete answered 404 with %s fails: the object may be there", async (_, body) => {
    const { subject } = await on(cloud, () => ({ status: 404, body }));
    expect(await codeOf(subject, VERBS.delete(subject))).toBeDefined();
    expect(await codeOf(subject, VERBS.deleteBatch(subject))).toBeDefined();
  });

  test("delete of an object that the service does not have succeeds", async () => {
    const { subject } = await on(cloud, () => cloud.missing);
    expect(await codeOf(subject, VERBS.delete(subject))).toBe(undefined);
  });

  test.each([301, 302, 303, 307, 308])("a redirect (%i) is followed nowhere", async (status) => {
    const { subject: elsewhere, asked } = await on(cloud, () => cloud.good.read);
    await elsewhere.driver.close();
    const { subject } = await on(cloud, () => ({ status, headers: { location: "http://127.0.0.1:9/k" } }));
    for (const verb of verbs) expect(await codeOf(subject, VERBS[verb](subject))).toBeDefined();
    expect(asked).toEqual([]);
  });

  test("control characters and length of an error's code and words are kept out of the message", async () => {
    const long = `${"x".repeat(5000)}\u001b[31m`;
    const xml = `<Error><Code>${"C".repeat(5000)}</Code><Message>${"x".repeat(5000)}</Message></Error>`;
    const json = JSON.stringify({ error: { message: long, errors: [{ reason: long }] } });
    const { subject } = await on(cloud, () => ({ status: 400, body: cloud.name === "gcs" ? json : xml }));
    const error = (await subject.text("k").catch((reason: unknown) => reason)) as Error;
    expect(error.message.length).toBeLessThan(700);
    expect(error.message).not.toMatch(/[\u0000-\u001f]/);
  });
});

describe("writes on S3", () => {
  const s3 = CLOUDS[0]!;
  const large = Buffer.alloc(9 * 2 ** 20);

  test.each([
    ["no UploadId", "<InitiateMultipartUploadResult><Bucket>b</Bucket></InitiateMultipartUploadResult>"],
    ["an empty UploadId", "<InitiateMultipartUploadResult><UploadId></UploadId></InitiateMultipartUploadResult>"],
    ["a page to log in", PAGE],
    ["nothing", ""],
  ])("%s begins no upload: neither a part nor an abort is sent", async (_, body) => {
    const { subject, asked } = await on(s3, () => ({ body, headers: { etag: '"e"' } }));
    const code = await codeOf(subject, subject.write("k", large));
    expect(code).toBeDefined();
    expect(RETRYABLE).not.toContain(code);
    expect(asked.map(({ method, url }) => `${method} ${url.search}`)).toEqual(["POST ?uploads="]);
  });

  test("an upload that was begun with an odd answer is aborted", async () => {
    const body = "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult><more/>";
    const { subject, asked } = await on(s3, ({ method }) => (method === "DELETE" ? { status: 204 } : { body }));
    expect(await codeOf(subject, subject.write("k", large))).toBe("Corrupt");
    expect(asked.map(({ method, url }) => `${method} ${url.search}`)).toEqual([
      "POST ?uploads=",
      "DELETE ?uploadId=u1",
    ]);
  });

  /** An upload in parts whose pieces are answered as `change` says. */
  async function uploading(change: Partial<Record<"begin" | "part" | "commit", object>>, etag = '"e"') {
    return on(s3, ({ method, url }) => {
      // The object of somebody else.
      if (method === "HEAD") return { headers: { etag: '"other"' } };
      if (method === "DELETE") return { status: 204 };
      if (method === "PUT") return { headers: { etag }, ...change.part };
      if (url.searchParams.has("uploads")) {
        return { body: "<InitiateMultipartUpload><UploadId>u1</UploadId></InitiateMultipartUpload>", ...change.begin };
      }
      const body = `<CompleteMultipartUpload><ETag>"e-2"</ETag></CompleteMultipartUpload>`;
      return { body, ...change.commit };
    });
  }

  test("roots with other names are taken, as rclone writes them", async () => {
    const { subject } = await uploading({});
    expect(await subject.write("k", large)).toEqual({ etag: '"e-2"' });
  });

  test.each(["put", "part"])("a %s that the server stored with another checksum fails", async (which) => {
    const headers = { etag: '"e"', "x-amz-checksum-crc32": "AAAAAA==" };
    const { subject } = await uploading({ part: { headers } });
    const body = which === "put" ? DATA : large;
    const code = await codeOf(subject, subject.write("k", body));
    expect(code).toBe(which === "put" ? "CommitUnknown" : "Unsupported");
  });

  test("a commit without an ETag is CommitUnknown", async () => {
    const { subject } = await uploading({ commit: { body: "<CompleteMultipartUploadResult/>" } });
    expect(await codeOf(subject, subject.write("k", large))).toBe("CommitUnknown");
  });

  test("a part without an ETag ends the upload, which is aborted", async () => {
    const { subject, asked } = await uploading({ part: { headers: {} } });
    expect(await codeOf(subject, subject.write("k", large))).toBe("Unsupported");
    // Parts that were cut off may arrive after it.
    expect(asked.filter(({ method }) => method === "DELETE")).toHaveLength(1);
  });

  test.each(['"opaque"', '"abc"', "W/1"])(
    "a refused commit of parts with the etag %s is told as it is",
    async (etag) => {
      const { subject } = await uploading({ commit: { status: 500 } }, etag);
      const error = (await subject.write("k", large).catch((reason: unknown) => reason)) as Error;
      expect(error).toMatchObject({ name: "HttpError", status: 500 });
    },
  );
});

test("Google's servers without batches get single deletes, and are asked for batches once", async () => {
  const gcs = CLOUDS[1]!;
  for (const status of [404, 405, 501]) {
    const { subject, asked } = await on(gcs, ({ method }) => ({ status: method === "POST" ? status : 204 }));
    await subject.delete("a", "b");
    await subject.delete("c", "d");
    expect(asked.map(({ method }) => method).sort()).toEqual(["DELETE", "DELETE", "DELETE", "DELETE", "POST"]);
  }
});

describe("writes through s3.fromClient", () => {
  const cloud = LISTING_CLOUDS.find(({ name }) => name === "s3.fromClient") as Cloud;
  const large = Buffer.alloc(9 * 2 ** 20);
  const BEGUN = "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";

  test.each(["<InitiateMultipartUploadResult/>", PAGE, ""])("no upload begins with %j", async (body) => {
    const { subject, asked } = await on(cloud, () => ({ body, headers: { etag: '"e"' } }));
    expect(await codeOf(subject, subject.write("k", large))).toBeDefined();
    expect(asked.map(({ method }) => method)).toEqual(["POST"]);
  });

  test.each([
    ["a write", () => Buffer.from("x"), { status: 200, body: PAGE }],
    ["a write answered 202", () => Buffer.from("x"), { status: 202, headers: { etag: '"e"' } }],
    ["a commit", () => large, { body: "<CompleteMultipartUploadResult/>" }],
  ])("%s without what makes it a success is CommitUnknown", async (_, data, answer) => {
    const { subject } = await on(cloud, ({ method, url }) => {
      if (method === "HEAD") return { status: 404 };
      if (method === "DELETE") return { status: 204 };
      if (url.searchParams.has("uploads")) return { body: BEGUN };
      return url.searchParams.has("partNumber") ? { headers: { etag: '"p"' } } : answer;
    });
    expect(await codeOf(subject, subject.write("k", data()))).toBe("CommitUnknown");
  });
});

describe("an upload to GCS under a condition whose last answer is lost", () => {
  const gcs = CLOUDS[1]!;
  const large = Buffer.alloc(9 * 2 ** 20);

  test.each([
    ["succeeds where the object has its mark", (mark: string) => ({ "stowage-nonce": mark }), undefined],
    ["fails where it has another's", () => ({ "stowage-nonce": "another" }), "Unavailable"],
  ])("%s", async (_, metadata, code) => {
    let mark = "";
    const { subject } = await on(gcs, ({ method, body }) => {
      if (method === "POST") {
        mark = JSON.parse(String(body)).metadata["stowage-nonce"];
        return { headers: { location: "/upload?upload_id=1" } };
      }
      if (method === "PUT") return { status: 500 };
      const stored = { generation: "7", metadata: metadata(mark), updated: "2026-02-01T00:00:00Z" };
      return { body: JSON.stringify(stored) };
    });
    const write = subject.write("k", large, { ifAbsent: true });
    if (code === undefined) expect(await write).toEqual({ etag: "7", version: "7" });
    else expect(await codeOf(subject, write)).toBe(code);
  });
});
