/** What a listing of S3 keeps of the pages that it has passed on. */
import { describe, expect, test } from "vitest";
import { Listing } from "../../../../src/fs/driver/listing.js";
import type { Bucket } from "../../../../src/fs/drivers/s3/client.js";
import { list } from "../../../../src/fs/drivers/s3/list.js";
import { heapOf } from "../../../support/heap.js";

const OPTIONS = { delimiter: undefined, startAfter: undefined, versions: false, signal: undefined };
const COUNT = 1000;

/** A page of a bucket, with a key and a token that are long enough to be kept as a part of it. */
function documentOf(page: number, isTruncated: boolean): string {
  const rows = Array.from({ length: COUNT }, (_, i) => {
    const key = `page-${page}/of-the-listing/${String(i).padStart(6, "0")}`;
    return `<Contents><Key>${key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>"${key}"</ETag><Size>1</Size></Contents>`;
  });
  const token = `<NextContinuationToken>the-token-after-page-${page}</NextContinuationToken>`;
  return `<ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>${token}${rows.join("")}</ListBucketResult>`;
}

/** A bucket of some pages, and what it has answered. */
function bucketOf(pages: number) {
  const answers: { text: string }[] = [];
  const text = async () => {
    const page = answers.length;
    // As a server's answer: one text, not its pieces.
    const answer = { text: Buffer.from(documentOf(page, page < pages - 1)).toString() };
    answers.push(answer);
    return answer;
  };
  return { bucket: { client: { text }, ordered: true } as unknown as Bucket, answers };
}

describe("the memory of a listing", () => {
  test("an answer is dropped once it is read, and a page once the next one is asked for", async () => {
    const { bucket, answers } = bucketOf(3);
    const pages = list(bucket, "", OPTIONS);
    const { value: first } = await pages.next();
    expect(first).toHaveLength(COUNT);
    expect(answers).toEqual([{ text: "" }]);
    const { value: second } = await pages.next();
    expect(second).toHaveLength(COUNT);
    expect(first).toHaveLength(0);
    await pages.return(undefined);
  });

  test("a listing that waits holds neither", async () => {
    const some = bucketOf(100).bucket;
    const { bytes } = await heapOf(async () => {
      const waiting = Array.from({ length: 20 }, () => list(some, "", OPTIONS));
      for (const pages of waiting) {
        const { value } = await pages.next();
        (value as unknown[]).length = 0;
      }
      return waiting;
    });
    // A page is 140 KB.
    expect(bytes / 20).toBeLessThan(20_000);
  });

  test("the checks of a listing hold one entry, without the page that it was cut from", async () => {
    const { bytes } = await heapOf(async () =>
      Array.from({ length: 20 }, (_, i) => {
        const page = Buffer.from(documentOf(i, true)).toString();
        const start = page.lastIndexOf("<Key>") + 5;
        const key = page.slice(start, page.indexOf("<", start));
        const listing = new Listing("", OPTIONS);
        listing.page([{ key, type: "file", size: 1, modified: new Date(), etag: page.slice(start + 3, start + 30) }]);
        return listing;
      }),
    );
    expect(bytes / 20).toBeLessThan(20_000);
  });
});
