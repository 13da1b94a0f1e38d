/** `at(base)`: relative keys, and nothing outside. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openStorage } from "../../../src/index.js";

const root = mkdtempSync(join(tmpdir(), "stowage-scope-"));
const storage = openStorage({ env: {} });
afterAll(async () => {
  await storage.close();
  rmSync(root, { recursive: true, force: true });
});

const BASES = ["memory://bucket/tenants/a[b]*{c}", `file://${root}/tenants/a[b]`, "memory://whole"];

test.each(BASES)("every verb takes keys below the base: %s", async (base) => {
  const scope = storage.at(base);
  await scope.write("d/x.txt", "1");
  expect(await storage.text(`${base}/d/x.txt`)).toBe("1");
  expect(await scope.at("d").text("x.txt")).toBe("1");
  expect(await scope.text("d/x.txt")).toBe("1");
  expect(await scope.exists("d/y.txt")).toBe(false);
  await scope.copy("d/x.txt", "d/y.txt");
  await scope.move("d/y.txt", "e/z.txt");
  await scope.update("e/z.txt", async (now) => `${await now?.text()}2`);
  const listed: string[] = [];
  for await (const { path } of scope.list("", { recursive: true })) listed.push(await scope.text(path));
  expect(listed).toEqual(["1", "12"]);
  const found: string[] = [];
  for await (const { path } of scope.glob("*/*.txt")) found.push(path.name);
  expect(found.sort()).toEqual(["x.txt", "z.txt"]);
  expect(await scope.text("e/z.txt", { last: 1 })).toBe("2");
  const pages: (readonly string[])[] = [];
  let startAfter: string | undefined;
  do {
    const listing = scope.list("", { recursive: true, limit: 1, startAfter });
    startAfter = undefined;
    for await (const { entries, next } of listing.byPage()) {
      pages.push(entries.map(({ path }) => path.name));
      startAfter = next;
    }
  } while (startAfter !== undefined);
  expect(pages).toEqual([["x.txt"], ["z.txt"]]);
  const versions = scope.list("", { versions: true }).byPage()[Symbol.asyncIterator]();
  await expect(versions.next()).rejects.toMatchObject({ code: "InvalidArgument" });
  expect(await scope.sync("d", "f")).toMatchObject({ copied: 1 });
  await expect(scope.sync("d", "../f")).rejects.toMatchObject({ code: "InvalidArgument" });
  await scope.copy("d", "f", { recursive: true });
  await scope.delete(["d/x.txt", "e/z.txt"]);
  await scope.delete("f", { recursive: true });
  for await (const { path } of scope.list("", { recursive: true })) expect.unreachable(String(path));
});

test("nothing leads out of the base: no dots, no slash at the start, no path elsewhere", async () => {
  const base = `${root}/inside`;
  const scope = storage.at(`file://${base}`);
  await scope.write("x", "in");
  writeFileSync(join(root, "secret"), "out");
  const leading = ["../secret", "a/../../secret", "..", ".", "/secret", `${root}/secret`, "a/./b"];
  for (const key of leading) {
    for (const work of [scope.text(key), scope.write(key, "x"), scope.delete(key), scope.copy(key, "y")])
      await expect(work, key).rejects.toMatchObject({ code: "InvalidArgument" });
  }
  const outside: string[] = [];
  for await (const { path } of storage.list(`file://${root}`)) {
    if (path.name !== "secret") continue;
    outside.push(path.name);
    await expect(scope.text(path)).rejects.toMatchObject({ code: "InvalidArgument" });
    await expect(scope.copy("x", path)).rejects.toMatchObject({ code: "InvalidArgument" });
  }
  expect(outside).toEqual(["secret"]);
  expect(readFileSync(join(root, "secret"), "utf8")).toBe("out");
});

test("a path as text is refused, below the base too; a key that begins with another word is not", async () => {
  const scope = storage.at("memory://bucket/t");
  for (const key of [
    "file:///etc/hostname",
    "FILE:///x",
    "memory://bucket/t/x",
    "s3://other/x",
    "file:/etc/hostname",
  ]) {
    const refused = { code: "InvalidArgument", detail: expect.stringContaining("begins with the scheme of a path") };
    await expect(scope.write(key, "1"), key).rejects.toMatchObject(refused);
    await expect(scope.at("deeper").text(key), key).rejects.toMatchObject(refused);
  }
  await scope.write("https://example.com/x", "1");
  expect(await storage.exists("memory://bucket/t/https://example.com/x")).toBe(true);
});

test("closing a scope closes nothing; closing the storage ends its scopes", async () => {
  const whole = openStorage({ env: {} });
  const scope = whole.at("memory://bucket/x");
  await scope.close();
  await scope.write("y", "1");
  await whole.close();
  await expect(scope.text("y")).rejects.toMatchObject({ code: "InvalidArgument" });
});
