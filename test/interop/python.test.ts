import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CodecName } from "../../src/codecs/codec.js";
import { codecs } from "../../src/codecs/index.js";
import { encode, noise, records, sha256 } from "../support/codecs.js";
import { pythonWith } from "../support/environment.mjs";

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL("read.py", import.meta.url));
const PACKAGES = fileURLToPath(new URL("codecs.txt", import.meta.url));

const CONTENTS = {
  empty: Buffer.alloc(0),
  byte: Buffer.from("x"),
  records: records(200_000),
  blocks: records(9_500_000),
  noise: noise(300_000),
  zeros: Buffer.alloc(2_000_000),
};

/** The reference tool of each format, writing the content to its output. */
const TOOLS: Partial<Record<CodecName, (file: string) => [string, string[]]>> = {
  gzip: (file) => ["gzip", ["-dc", file]],
  zip: (file) => ["unzip", ["-p", file]],
  bz2: (file) => ["bzip2", ["-dc", file]],
  xz: (file) => ["xz", ["-dc", "--format=auto", file]],
  lzma: (file) => ["xz", ["-dc", "--format=auto", file]],
  zstd: (file) => ["zstd", ["-dcq", file]],
  lz4: (file) => ["lz4", ["-dc", file]],
};

const written = codecs.names;
let folder: string;

/** A tool that is missing is said aloud, and is a failure where everything has to be there. */
async function isThere(tool: string, args: string[]): Promise<boolean> {
  try {
    await run(tool, args);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") return true;
    if (process.env.CI === "true") throw new Error(`${tool} is needed to check what stowage writes`);
    console.warn(`NOT CHECKED: ${tool} is not installed`);
    return false;
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stowage-codecs-"));
  for (const name of written) {
    for (const [label, data] of Object.entries(CONTENTS)) {
      await writeFile(join(folder, `${label}.${name}`), await encode(name, data, {}, 60_000));
    }
  }
}, 120_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("what we write", () => {
  it("Z01 is read by Python: fsspec and the codec's own library", { timeout: 600_000 }, async ({ skip }) => {
    if (!(await isThere("python3", ["--version"]))) return skip();
    const { stdout } = await run(await pythonWith(PACKAGES), [SCRIPT, folder]);
    const found: Record<string, string[]> = JSON.parse(stdout);
    const expected = written.flatMap((name) =>
      Object.entries(CONTENTS).map(([label, data]) => [`${label}.${name}`, [sha256(data), sha256(data)]]),
    );
    expect(found).toEqual(Object.fromEntries(expected));
  });

  describe.each(written.filter((name) => TOOLS[name]))("Z01 %s is read by the reference tool", (name) => {
    it.each(Object.entries(CONTENTS))("%s", { timeout: 60_000 }, async (label, data) => {
      const [tool, args] = TOOLS[name]!(join(folder, `${label}.${name}`));
      if (!(await isThere(tool, ["--help"]))) return;
      const { stdout } = await run(tool, args, { encoding: "buffer", maxBuffer: 2 ** 26 });
      expect(sha256(stdout)).toBe(sha256(data));
    });
  });
});
