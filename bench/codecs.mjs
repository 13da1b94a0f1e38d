/**
 * `npm run bench:codecs [-- codec ...] [--mib 64] [--slow-mib 16] [--rounds 3]`: speed, size, memory and event-loop delay
 * of the codecs beside node:zlib, npm packages, Python's codecs and the command-line tools, in one run. The packages come
 * from bench/package.json; Python is measured where its test (test/interop/python.test.ts) has made the environment.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { installPeers } from "./peers.mjs";

const HERE = import.meta.dirname;
installPeers();
const { codecs } = await import("../dist/codecs/index.js");
const { CONTENTS, chunked } = await import("./codecs/data.mjs");
const { collect } = await import("./codecs/subjects.mjs");
const { rounds, runnersOf } = await import("./codecs/run.mjs");
const { goalLines } = await import("./codecs/goals.mjs");

/** Codecs that take seconds for what others do in a tenth. */
const SLOW = ["bz2", "xz", "lzma"];
const MIB = 2 ** 20;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mib: { type: "string", default: "64" },
    "slow-mib": { type: "string", default: "16" },
    rounds: { type: "string", default: "3" },
  },
});
const names = positionals.length > 0 ? positionals : codecs.names;
const folder = mkdtempSync(join(tmpdir(), "stowage-bench-codecs-"));
const results = [];
console.log(
  `Node ${process.version}, ${availableParallelism()} processors, medians of ${values.rounds} rounds in turn`,
);
console.log(
  "MB/s of content by wall clock and by second of processor; peak RSS growth in MiB; longest event-loop delay in ms\n",
);
try {
  for (const codec of names) {
    for (const content of Object.keys(CONTENTS)) await measure(codec, content);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const line of goalLines(results)) console.log(line);
mkdirSync(join(HERE, "results"), { recursive: true });
writeFileSync(join(HERE, "results", "codecs.json"), `${JSON.stringify(results, null, 1)}\n`);

async function measure(codec, content) {
  const size = Number(SLOW.includes(codec) ? values["slow-mib"] : values.mib) * MIB;
  const data = CONTENTS[content](size);
  const plain = join(folder, "plain");
  const packed = join(folder, "packed");
  writeFileSync(plain, data);
  writeFileSync(packed, await collect(codecs.get(codec).encode(chunked(data))));
  for (const direction of ["encode", "decode"]) {
    const runners = runnersOf(codec, { direction, content, size, plain, packed });
    const subjects = await rounds(runners, Number(values.rounds));
    results.push({ codec, content, direction, size, subjects });
    print(`${codec} ${direction}, ${size / MIB} MiB of ${content}`, size, direction, subjects);
  }
}

function print(title, size, direction, subjects) {
  console.log(`${title.padEnd(40)}   wall     cpu   ratio    rss  delay`);
  for (const [name, figures] of Object.entries(subjects)) {
    console.log(`  ${name.padEnd(38)}${figures.cannot ? ` ${figures.cannot}` : row(size, direction, figures)}`);
  }
  console.log();
}

function row(size, direction, { wall, cpu, length, rss, delay }) {
  const speed = (seconds) => (size / 1e6 / seconds).toFixed(1);
  const ratio = direction === "encode" ? (size / length).toFixed(2) : "";
  const cells = [speed(wall), speed(cpu), ratio, rss?.toFixed(0) ?? "", delay?.toFixed(1) ?? ""];
  return cells.map((cell, at) => cell.padStart([7, 8, 8, 7, 7][at])).join("");
}
