import { types } from "mime-types";
import { describe, expect, it } from "vitest";
import { contentTypeOf } from "../../../../src/fs/driver/content.js";
import { CONTENT_TYPES } from "../../../../src/fs/driver/content-types.data.js";

describe("W19: the content type of a name", () => {
  it.each([
    ["a/b.json", "application/json"],
    ["table.parquet", "application/vnd.apache.parquet"],
    ["rows.jsonl", "application/x-ndjson"],
    ["rows.ndjson", "application/x-ndjson"],
    ["x.json.zst", "application/zstd"],
    ["x.avro", "application/avro"],
    ["x.arrow", "application/vnd.apache.arrow.file"],
    ["x.tar.gz", "application/gzip"],
    ["x.tgz", "application/gzip"],
    ["PHOTO.JPG", "image/jpeg"],
    ["report.XLSX", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"],
    ["x.csv", "text/csv"],
    ["x.yaml", "text/yaml"],
    ["x.html", "text/html"],
    ["x.mp4", "video/mp4"],
    ["x.pdf", "application/pdf"],
    ["x.zip", "application/zip"],
    ["x.xz", "application/x-xz"],
    ["x.bin", "application/octet-stream"],
  ])("%s is %s", (name, type) => expect(contentTypeOf(name)).toBe(type));

  it.each(["README", "a.b/c", ".json", "a/.json", "x.", "x.unheard-of", "x.constructor", "x.json/", ""])(
    "%j has none",
    (name) => expect(contentTypeOf(name)).toBeUndefined(),
  );

  it("agrees with mime-types on all that is kept of it, and keeps some hundreds", () => {
    const added = new Set([
      "arrow",
      "arrows",
      "avro",
      "jsonl",
      "lz4",
      "lzma",
      "ndjson",
      "parquet",
      "snappy",
      "tgz",
      "zst",
    ]);
    let kept = 0;
    for (const [suffix, type] of Object.entries(types)) {
      const ours = contentTypeOf(`x.${suffix}`);
      if (ours === undefined || added.has(suffix)) continue;
      expect(ours).toBe(type);
      kept++;
    }
    expect(kept).toBeGreaterThan(400);
  });

  it("weighs less than 8 KB in a bundle", () => expect(CONTENT_TYPES.length).toBeLessThan(8000));
});
