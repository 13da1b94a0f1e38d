/**
 * npm run bench -- [--quick] [--only=<text>] [--subjects=stowage,aws-sdk] [--rounds=5] [--no-python] [--into=bench] [--plan]
 *
 * Starts the stores, measures every subject in every scenario, prints tables, and adds what it found to
 * bench/results/<date>.json and to the charts of bench/charts/, or to these folders of another one. `--quick` checks in
 * under three minutes that everything runs, and keeps nothing. `--only` takes scenarios whose name contains the text;
 * `--only=small-minio,bounded` is either. `--plan` only says how long each is expected to take.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openStorage } from "../dist/index.js";
import { goals } from "./goals.mjs";
import { kept } from "./keep.mjs";
import { measure } from "./measure.mjs";
import { installPeers } from "./peers.mjs";
import { openPlace, subjectsOf } from "./places.mjs";
import { expectedSeconds, Progress, planTable } from "./progress.mjs";
import { pythonSubjects } from "./python.mjs";
import { goalTable, table, tally } from "./report.mjs";
import { countRequests } from "./requests.mjs";
import { scenarios } from "./scenarios.mjs";
import { startUp } from "./startup.mjs";
import { open as openStowage } from "./subjects/stowage.mjs";
import { seed } from "./work.mjs";

const HERE = import.meta.dirname;
const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    subjects: { type: "string" },
    rounds: { type: "string" },
    python: { type: "boolean", default: true },
    into: { type: "string", default: HERE },
    plan: { type: "boolean", default: false },
  },
  allowNegative: true,
});
const { quick } = values;
const rounds = Number(values.rounds ?? (quick ? 1 : 5));
/** A text that ends in `$` is the end of a name. */
const wanted = (name) => values.only.split(",").some((part) => `${name}$`.includes(part));
const named = values.subjects?.split(",");
const isWanted = (name) => named?.includes(name) ?? true;

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
installPeers();
const python = values.python && !quick ? await pythonSubjects() : new Map();
const chosen = scenarios({ quick })
  .filter(({ name }) => wanted(name))
  .map((scenario) => ({
    scenario,
    seconds: expectedSeconds(scenario, commandsOf(scenario).length, roundsOf(scenario)),
  }));
if (values.plan) console.log(planTable(chosen));
else await run();

async function run() {
  const results = await measuredAll();
  const report = { ...circumstances(), results, ...(await extras()) };
  const reached = quick ? goals(report) : (await kept(report, values.into)).goals;
  console.log(`\n${goalTable(reached)}`);
  if (quick) process.exitCode = tally(results);
}

async function measuredAll() {
  const progress = new Progress(chosen);
  const results = [];
  const groups = new Set(chosen.map(({ scenario }) => groupOf(scenario)));
  for (const group of groups) {
    const here = chosen.map(({ scenario }) => scenario).filter((one) => groupOf(one) === group);
    results.push(...(await measuredIn(here, progress)));
  }
  return results;
}

/** Each group has a server of its own: emulators in memory do not give back what was deleted. */
function groupOf({ group, store }) {
  return `${group} ${store}`;
}

async function measuredIn(here, progress) {
  const place = { made: new Map(), ...(await openPlace(here[0].store)) };
  const results = [];
  try {
    for (const scenario of here) {
      progress.begins(scenario.name);
      results.push(await one(scenario, place));
      progress.ended();
    }
  } finally {
    await place.close();
  }
  return results;
}

async function one(scenario, { target, made }) {
  const obstacle = scenario.store === "memory" ? undefined : await seeded(scenario, target, made);
  const subjects = obstacle ? { stowage: { cannot: obstacle } } : await measured(scenario, target);
  const result = { ...scenario, load: Math.round(loadavg()[0]), subjects };
  console.log(`\n${table(result)}`);
  // A long run that is cut off has not been for nothing.
  if (!quick) await kept({ ...circumstances(), results: [result] }, values.into);
  return result;
}

async function measured(scenario, target) {
  const found = await measure(scenario, target, commandsOf(scenario), roundsOf(scenario));
  if (scenario.store !== "memory") await swept(scenario, target);
  return found;
}

function commandsOf(scenario) {
  const names = (scenario.subjects ?? subjectsOf[scenario.store]).filter(isWanted);
  const node = (name) => [process.execPath, "--expose-gc", "worker.mjs", name];
  const isHere = (name) => python.has(name) || existsSync(join(HERE, "subjects", `${name}.mjs`));
  return names.filter(isHere).map((name) => [name, python.get(name) ?? node(name)]);
}

function roundsOf(scenario) {
  return Math.min(rounds, scenario.rounds ?? rounds);
}

/** Why the objects that are to be read cannot be made, or undefined. */
async function seeded(scenario, target, made) {
  const subject = await openStowage(target.near ?? target);
  try {
    await seed(subject, scenario, made);
    return undefined;
  } catch (error) {
    return error.message;
  } finally {
    await subject.close();
  }
}

/** A scenario leaves nothing to the next one. */
async function swept({ name }, { near, ...far }) {
  const { base, connection } = near ?? far;
  const storage = openStorage({ env: {}, connections: connection ? { it: connection } : {} });
  await storage.delete(`${base}/${name}`, { recursive: true });
  await storage.close();
}

async function extras() {
  const all = values.only === "";
  return {
    requests: all || wanted("requests") ? await countRequests() : undefined,
    startUp: all || wanted("startup") ? await startUp(rounds) : undefined,
    paths: all || wanted("paths") ? paths() : undefined,
  };
}

/** Beside Airflow's paths where there is a Python with them. */
function paths() {
  const [airflow] = python.get("airflow") ?? [];
  const run = spawnSync(process.execPath, ["paths.mjs", "--json", `--rounds=${quick ? 1 : 15}`], {
    cwd: HERE,
    encoding: "utf8",
    env: { ...process.env, ...(airflow && { STOWAGE_BENCH_PYTHON: airflow }) },
  });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout);
}

function circumstances() {
  const [{ model } = {}, ...others] = cpus();
  return {
    date: new Date().toISOString(),
    node: process.version,
    machine: `${model}, ${others.length + 1} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    rounds,
  };
}
