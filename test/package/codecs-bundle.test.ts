import { execFile } from "node:child_process";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";

const run = promisify(execFile);
const SOURCE = fileURLToPath(new URL("../../src/codecs/index.ts", import.meta.url));
/** Encodes and decodes with every codec; nothing but the bundle is within its reach. */
const PROGRAM = `
import { codecs } from "./codecs.mjs";
const content = Buffer.from("stowage ".repeat(50000));
async function* source() { yield content; }
for (const name of codecs.names) {
  const codec = codecs.get(name);
  const parts = [];
  for await (const chunk of codec.decode(codec.encode(source()))) parts.push(chunk);
  if (!Buffer.concat(parts).equals(content)) throw new Error(name);
  console.log(name);
}
`;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stowage-codecs-bundle-"));
  const outfile = join(folder, "codecs.mjs");
  await build({ entryPoints: [SOURCE], outfile, bundle: true, platform: "node", format: "esm", minify: true });
  await writeFile(join(folder, "program.mjs"), PROGRAM);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

it("one bundled file, with no package beside it, encodes and decodes all formats", async () => {
  const { stdout } = await run(process.execPath, ["program.mjs"], { cwd: folder });
  expect(stdout.trim().split("\n")).toEqual(["zip", "gzip", "bz2", "xz", "lzma", "zstd", "lz4", "snappy"]);
});

it("all codecs add less than 80 KiB to a minified bundle", async () => {
  expect((await stat(join(folder, "codecs.mjs"))).size).toBeLessThan(80 * 1024);
});
