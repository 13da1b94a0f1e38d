// Operations per second of StoragePath beside WHATWG URL and, where a Python is given, Airflow's or universal_pathlib's
// path. Usage: node bench/paths.mjs [--json] [--rounds=15]; STOWAGE_BENCH_PYTHON=/venv/bin/python adds the Python rows.
import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { StoragePath } from "../dist/index.js";

const { values } = parseArgs({ options: { json: { type: "boolean" }, rounds: { type: "string", default: "15" } } });
const rounds = Number(values.rounds);
const BATCH = 1000;
const REPEAT = 50;

const texts = Array.from(
  { length: BATCH },
  (_, i) => `s3://my_conn@my-bucket/xcom/dag_${i}/manual__2026-01-01T00:00:00+00:00/task_${i}/0d7c8f5e-${i}.gz`,
);
const paths = texts.map((text) => StoragePath.parse(text));
const base = StoragePath.parse("s3://my_conn@my-bucket/xcom");
const urls = texts.map((text) => new URL(text));

/** Each returns a number that depends on the result, so that nothing is optimised away. */
const subjects = {
  "parse: StoragePath": (i) => StoragePath.parse(texts[i]).key.length,
  "parse: URL": (i) => new URL(texts[i]).pathname.length,
  "parse and print: StoragePath": (i) => String(StoragePath.parse(texts[i])).length,
  "parse and print: URL": (i) => new URL(texts[i]).href.length,
  "join: StoragePath": (i) => paths[i].join("a", "b.gz").key.length,
  "join: URL": (i) => new URL("a/b.gz", urls[i]).pathname.length,
  "isRelativeTo: StoragePath": (i) => Number(paths[i].isRelativeTo(base)),
};

function perSecond(subject) {
  let sum = 0;
  const start = performance.now();
  for (let repeat = 0; repeat < REPEAT; repeat++) for (let i = 0; i < BATCH; i++) sum += subject(i);
  const seconds = (performance.now() - start) / 1000;
  if (sum === 0) throw new Error("nothing was measured");
  return (BATCH * REPEAT) / seconds;
}

function summary(name, rates) {
  const sorted = rates.toSorted((a, b) => a - b);
  return { name, median: sorted[sorted.length >> 1], min: sorted[0], max: sorted.at(-1), rounds: sorted.length };
}

// One round of each in turn, so that what else the machine does falls on all alike. The first two rounds warm up.
const rates = Object.fromEntries(Object.keys(subjects).map((name) => [name, []]));
for (let round = -2; round < rounds; round++) {
  for (const [name, subject] of Object.entries(subjects)) {
    const rate = perSecond(subject);
    if (round >= 0) rates[name].push(rate);
  }
}

const PYTHON = `
import json, sys, time
try:
    from airflow.sdk import ObjectStoragePath as Path
    label = "ObjectStoragePath"
except ImportError:
    from upath import UPath as Path
    label = "UPath"
n, rounds = 300, int(sys.argv[1])
conn = "my_conn@" if label == "ObjectStoragePath" else ""
texts = [f"s3://{conn}my-bucket/xcom/dag_{i}/manual__2026-01-01T00:00:00+00:00/task_{i}/0d7c8f5e-{i}.gz" for i in range(n)]
paths = [Path(t) for t in texts]
base = Path(f"s3://{conn}my-bucket/xcom")
subjects = {
    "parse and print": lambda i: str(Path(texts[i])),
    "join": lambda i: str(paths[i] / "a" / "b.gz"),
    "isRelativeTo": lambda i: paths[i].is_relative_to(base),
}
rates = {name: [] for name in subjects}
for _ in range(rounds):
    for name, subject in subjects.items():
        start = time.perf_counter()
        for i in range(n):
            subject(i)
        rates[name].append(n / (time.perf_counter() - start))
print(json.dumps({f"{name}: {label} (Python)": r for name, r in rates.items()}))
`;

function pythonRates(python) {
  const run = spawnSync(python, ["-c", PYTHON, String(rounds)], { encoding: "utf8" });
  if (run.status !== 0) throw new Error(`${python} failed: ${run.stderr}`);
  return JSON.parse(run.stdout.trim().split("\n").at(-1));
}

const python = process.env.STOWAGE_BENCH_PYTHON;
if (python) Object.assign(rates, pythonRates(python));

const rows = Object.entries(rates).map(([name, each]) => summary(name, each));
const median = (name) => rows.find((row) => row.name === name).median;
const ratio = median("parse: StoragePath") / median("parse: URL");

if (values.json) {
  console.log(
    JSON.stringify(
      { node: process.version, cpu: cpus()[0]?.model, unit: "operations per second", rows, ratio },
      null,
      2,
    ),
  );
} else {
  const count = (rate) => Math.round(rate).toLocaleString("en-US").padStart(12);
  console.log(
    `${"operations per second".padEnd(44)}${"median".padStart(12)}${"min".padStart(12)}${"max".padStart(12)}`,
  );
  for (const { name, median, min, max } of rows) console.log(name.padEnd(44) + count(median) + count(min) + count(max));
  console.log(`parse, StoragePath : URL = ${ratio.toFixed(2)} (node ${process.version}, ${rounds} rounds)`);
}
