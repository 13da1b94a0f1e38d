/** The search for secrets would find one: it is tried on folders where secrets were left, and on errors that show one. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { leaksIn } from "../../scripts/secret-scan.mjs";
import { failure } from "../../src/errors.js";
import { noted, secret, secretKey } from "../support/test-secrets.mjs";

describe("the search for secrets", () => {
  let run: string;
  beforeEach(async () => {
    run = await mkdtemp(join(tmpdir(), "stowage-secret-scan-"));
    vi.stubEnv("STOWAGE_TEST_RUN", run);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(run, { recursive: true, force: true });
  });
  async function leave(file: string, text: string) {
    await mkdir(dirname(join(run, file)), { recursive: true });
    await writeFile(join(run, file), text);
  }

  test("secrets are unique and none is found where none was left", async () => {
    expect(secret()).not.toBe(secret());
    await leave("logs/a.log", "nothing to see");
    expect(await leaksIn(run)).toEqual({ secrets: 2, files: 1, leaks: [] });
  });
  test.each([
    ["plain", (hidden: string) => `AccountKey=${hidden};`],
    ["percent-encoded", (hidden: string) => `https://host/?key=${encodeURIComponent(hidden)}`],
    ["base64", (hidden: string) => `Authorization: Basic ${Buffer.from(hidden).toString("base64")}`],
  ])("finds a secret that is %s", async (form, text) => {
    secret();
    const hidden = noted("pass/word+with=signs");
    await leave("tmp/deep/down.txt", text(hidden));
    const { leaks } = await leaksIn(run);
    expect(leaks).toEqual([`tmp/deep/down.txt: secret 2 of 2, ${form}`]);
    expect(leaks.join()).not.toContain(hidden);
  });
  test("a key for Azure or KMS has the length that was asked for, and is looked for too", async () => {
    const key = secretKey(64);
    expect(Buffer.from(key, "base64")).toHaveLength(64);
    await leave("errors/1.txt", `{"key":"${key}"}`);
    expect((await leaksIn(run)).leaks).toHaveLength(1);
  });
});

describe.runIf(process.env.STOWAGE_TEST_RUN)("under npm test", () => {
  const mark = `shown-by-a-cause-${process.pid}`;
  test("an error is made whose cause shows something", () => {
    expect(failure("Corrupt", "planted", { cause: { response: { header: mark } } })).toBeInstanceOf(Error);
  });
  test("every error is written down as programs and logs can show it", async () => {
    const file = join(process.env.STOWAGE_TEST_RUN!, "errors", `${process.pid}.txt`);
    expect(await readFile(file, "utf8")).toContain(mark);
  });
});
