import { describe, expect, it } from "vitest";
import { codecs } from "../../../src/codecs/index.js";
import { isStorageError } from "../../../src/errors.js";
import { chunked } from "../../support/codecs.js";

describe("looking codecs up", () => {
  it("gives each codec by its name and lists the names", () => {
    for (const name of codecs.names) expect(codecs.get(name).name).toBe(name);
  });

  it("refuses an unknown name with InvalidArgument that lists the known ones", () => {
    for (const name of ["brotli", "", "GZIP", "constructor"]) {
      expect(() => codecs.get(name)).toThrow(/InvalidArgument.*zip, gzip/);
    }
  });

  it("says which codec was probably meant", () => {
    expect(() => codecs.get("gz")).toThrow(/unknown codec "gz"; did you mean gzip\? \(expected/);
    for (const name of ["brotli", ""]) expect(() => codecs.get(name)).not.toThrow(/did you mean/);
  });

  it("names gzip's header for data that is none, however short, and the cut for data that is", async () => {
    const decode = async (...data: number[]) => {
      for await (const _ of codecs.get("gzip").decode(chunked(Buffer.from(data), 1))) expect.unreachable();
    };
    await expect(decode(...Buffer.from("hello"))).rejects.toThrow(/Corrupt .*no gzip header/);
    await expect(decode(0x1f)).rejects.toThrow(/cut off/);
    await expect(decode(0x1f, 0x8b, 8)).rejects.toThrow(/cut off/);
    await expect(decode(0x1f, 0x8c)).rejects.toThrow(/no gzip header/);
  });

  it.each([
    ["a.zip", "zip"],
    ["a.gz", "gzip"],
    ["a.tar.gz", "gzip"],
    ["s3://c@b/x.bz2/a.json.GZ", "gzip"],
    ["a.b/c.Zip", "zip"],
  ])("Z02 infers %s as %s", (path, name) => {
    expect(codecs.forSuffix(path)?.name).toBe(name);
    expect(codecs.forSuffix({ name: path.slice(path.lastIndexOf("/") + 1) })?.name).toBe(name);
  });

  it.each([
    "a",
    "",
    "gz",
    ".gz",
    "x/.gz",
    "..gz",
    "a.gz/b",
    "a.gz/",
    "a.gz.",
    "a.gz ",
    "a.tgz",
    "a.gzip",
    "a.zstd",
    "a.snappy",
    "a.json",
  ])("Z02 infers no codec from %j", (path) => {
    expect(codecs.forSuffix(path)).toBeUndefined();
  });

  it("refuses a level or limit out of range at the call, before anything is read", () => {
    const refused = (call: () => unknown) => {
      try {
        call();
      } catch (error) {
        return isStorageError(error, "InvalidArgument");
      }
      return false;
    };
    const bytes = () => chunked(Buffer.from("x"));
    for (const level of [-2, 10, 1.5, Number.NaN]) {
      expect(refused(() => codecs.get("gzip").encode(bytes(), { level }))).toBe(true);
    }
    for (const limit of [-1, Number.NaN]) {
      expect(refused(() => codecs.get("gzip").decode(bytes(), { maxDecodedBytes: limit }))).toBe(true);
      expect(refused(() => codecs.get("gzip").decode(bytes(), { maxRatio: limit }))).toBe(true);
    }
  });
});
