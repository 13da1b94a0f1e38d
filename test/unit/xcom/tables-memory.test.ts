/** Tables in a program of its own: how much memory a million rows take, and what happens without the optional packages. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT, run } from "../../support/installed.js";
import { FORMATS } from "../../support/tables.js";

/** Writes and reads as many rows as it is told, both at once, and prints how many came and the most memory it had. */
const PROGRAM = `
import { decodeRows, encodeRows } from "./src/xcom/tables/index.ts";
const [format, count] = [process.argv[2], Number(process.argv[3])];
const schema = { i: "int", s: "string", f: "float", at: "timestamp" };
function* rows() {
  for (let i = 0; i < count; i++) yield { i, s: i % 10 ? "name " + i : null, f: i / 7, at: new Date(i * 1000) };
}
let came = 0;
try {
  for await (const row of decodeRows(encodeRows(rows(), { format, schema }), { format, schema })) came += row.i === came;
  console.log(JSON.stringify({ came, rss: process.resourceUsage().maxRSS * 1024 }));
} catch (error) {
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
`;
const MIB = 1024 * 1024;
/** MiB of V8's heap: an eighth of what the rows would take. */
const HEAP = 64;
/** Bytes of resident memory above that of ten rows. */
const GROWTH = 160 * MIB;

let folder: string;

/** The program as one file with the packages in it, or without them. */
async function bundled(name: string, external: string[]): Promise<string> {
  const outfile = join(folder, name);
  const stdin = { contents: PROGRAM, loader: "js", resolveDir: ROOT } as const;
  const fixed = { bundle: true, platform: "node", target: "node20", format: "esm", logLevel: "silent" } as const;
  await build({ ...fixed, stdin, outfile, external });
  return outfile;
}

async function answer(program: string, ...args: string[]) {
  const { stdout } = await run(process.execPath, [`--max-old-space-size=${HEAP}`, program, ...args]);
  return JSON.parse(stdout);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stowage-tables-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a million rows", () => {
  let program: string;
  beforeAll(async () => {
    program = await bundled("whole.mjs", []);
  });
  test.each(FORMATS)("stream through %s in a heap of 64 MiB", { timeout: 240_000 }, async (format) => {
    const few = await answer(program, format, "10");
    const { came, rss } = await answer(program, format, "1000000");
    console.log(`${format}: ${Math.round((rss - few.rss) / MIB)} MiB above ${Math.round(few.rss / MIB)} MiB`);
    expect(came).toBe(1_000_000);
    expect(rss - few.rss).toBeLessThan(GROWTH);
  });
});

describe("without the optional packages", () => {
  let program: string;
  beforeAll(async () => {
    program = await bundled("bare.mjs", ["hyparquet", "hyparquet/*", "hyparquet-writer", "apache-arrow"]);
  });
  test.each(["csv", "jsonl"])("%s works", async (format) => {
    expect(await answer(program, format, "3")).toMatchObject({ came: 3 });
  });
  test.each([
    ["parquet", "hyparquet"],
    ["arrow", "apache-arrow"],
  ])("%s is Unsupported, and %s is named", async (format, name) => {
    const { code, message } = await answer(program, format, "3");
    expect([code, message]).toEqual(["Unsupported", expect.stringContaining(`npm install ${name}`)]);
  });
});
