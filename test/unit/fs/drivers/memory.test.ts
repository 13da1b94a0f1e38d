import { describe, expect, it } from "vitest";
import { memory } from "../../../../src/fs/drivers/memory.js";
import { TestDriver } from "../../../support/test-driver.js";

describe("the memory driver", () => {
  it("W18: keeps its own copy of what it was given, and gives copies away", async () => {
    const bucket = await TestDriver.open(memory().open, "b");
    const data = Buffer.from("stored");
    await bucket.write("x", data);
    data.fill(0);
    const { body } = await bucket.open("x");
    for await (const chunk of body) chunk.fill(0);
    (await bucket.stat("x")).modified!.setTime(0);
    expect(await bucket.text("x")).toBe("stored");
    expect((await bucket.stat("x")).modified!.getTime()).toBeGreaterThan(0);
  });

  it("W20: keeps its own copy of metadata", async () => {
    const bucket = await TestDriver.open(memory().open, "b");
    const metadata = { a: "1" };
    await bucket.write("x", "", { metadata });
    metadata.a = "2";
    (await bucket.stat("x")).metadata!.a = "3";
    expect((await bucket.stat("x")).metadata).toEqual({ a: "1" });
  });

  it("A04: two worlds share nothing, two buckets of one world only copies", async () => {
    const open = memory().open;
    const [one, two] = [await TestDriver.open(open, "one"), await TestDriver.open(open, "two")];
    const other = await TestDriver.open(memory().open, "one");
    await one.write("x", "1");
    expect(await other.keys("")).toEqual([]);
    expect(await two.keys("")).toEqual([]);
    await two.copy("x", "y", { bucket: "one" });
    expect(await two.text("y")).toBe("1");
    expect(await (await TestDriver.open(open, "one")).text("x")).toBe("1");
  });

  it("W15: of two writers the one that ends last wins whole; C03: of two create-only writers the first to end", async () => {
    const bucket = await TestDriver.open(memory().open, "b");
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const slow = (text: string) =>
      (async function* () {
        yield Buffer.from(text);
        await gate;
        yield Buffer.from(text);
      })();
    const writes = [bucket.write("x", slow("slow")), bucket.write("y", slow("slow"), { ifAbsent: true })];
    await bucket.write("x", "quick");
    await bucket.write("y", "quick", { ifAbsent: true });
    open();
    const [, second] = await Promise.allSettled(writes);
    expect(await bucket.text("x")).toBe("slowslow");
    expect(second).toMatchObject({ status: "rejected", reason: { code: "AlreadyExists" } });
    expect(await bucket.text("y")).toBe("quick");
  });

  it("grows for a body of unknown length and reports each step", async () => {
    const bucket = await TestDriver.open(memory().open, "b");
    const seen: number[] = [];
    const body = (async function* () {
      for (let i = 0; i < 50; i++) yield Buffer.alloc(1000 * (i + 1), i);
    })();
    await bucket.write("x", body, { onProgress: (bytes) => seen.push(bytes) });
    expect((await bucket.stat("x")).size).toBe(1_275_000);
    expect(seen.at(-1)).toBe(1_275_000);
    expect(seen).toHaveLength(50);
  });

  it("L02: lists in pages of 1000; L07: what is deleted between pages is not listed any more", async () => {
    const bucket = await TestDriver.open(memory().open, "b");
    for (let i = 0; i < 2001; i++) await bucket.write(String(i).padStart(4, "0"), "");
    const options = { delimiter: undefined, startAfter: undefined, versions: false, signal: undefined };
    const pages: number[] = [];
    for await (const page of bucket.driver.list("", options)) {
      pages.push(page.length);
      await bucket.delete("2000");
    }
    expect(pages).toEqual([1000, 1000]);
  });

  it("versions and signing are Unsupported", async () => {
    const bucket = await TestDriver.open(memory().open, "b");
    await bucket.write("x", "");
    const unsupported = { code: "Unsupported" };
    await expect(bucket.open("x", { version: "1" })).rejects.toMatchObject(unsupported);
    await expect(bucket.items("", { versions: true })).rejects.toMatchObject(unsupported);
    await expect(bucket.driver.signedUrl("x", { method: "GET", expiresIn: 1 })).rejects.toMatchObject(unsupported);
    const doomed = [{ key: "x", version: "1" }];
    await expect(bucket.driver.delete(doomed, { signal: undefined })).rejects.toMatchObject(unsupported);
    expect(await bucket.keys("")).toEqual(["x"]);
  });
});
