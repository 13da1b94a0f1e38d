/**
 * The stages of `npm test`, in order; narrow ones run two at a time. To add a stage, add a line: `vitest` for test
 * files, `command` for anything else. A command is one test, unless it prints its own line such as `12 passed, 0 failed,
 * 1 skipped`; the summary repeats lines that start with `SKIPPED:`.
 */
import { nodeBinary } from "./node-versions.mjs";

/**
 * @typedef {object} Stage
 * @property {string} name
 * @property {string[]} [command] program and arguments, with node_modules/.bin on the PATH
 * @property {string[]} [vitest] arguments of `vitest run`: test files, filters
 * @property {() => Promise<string>} [node] finds the Node that runs it
 * @property {number} [minutes] after which it is stopped and counts as failed; 10 when not given
 * @property {boolean} [narrow] it needs one processor and measures no time: another narrow stage can run beside it
 */

/** The driver contract, on every backend. */
export const CONTRACTS = ["test/conformance/contract.test.ts"];
/** Tests of the built package; all others work without `dist`. */
export const PACKAGED = ["builds", "bundle", "driver-example", "exports", "package", "start", "types"].map(
  (name) => `test/package/${name}.test.ts`,
);
/** The documentation site in a browser. */
export const SITE = "test/package/site.test.ts";
/** Fault injection between the library and the servers. */
const FAULTS = "test/faults/";
/** Tests that must pass on every Node version. */
const EVERYWHERE = [...CONTRACTS, "test/package/bundle.test.ts", "test/package/package.test.ts"];

/** Vitest leaves one processor free, half of a machine of two. Stages that measure time keep it. */
const ALL_PROCESSORS = "--maxWorkers=100%";

/** @type {Stage[]} */
export const stages = [
  { name: "biome", command: ["biome", "check", "."] },
  { name: "types", command: ["tsc", "--noEmit"] },
  { name: "dead exports", command: ["knip"] },
  { name: "exported surface", command: ["node", "scripts/api.mjs"] },
  { name: "api reference", command: ["typedoc", "--emit", "none"] },
  { name: "servers", command: ["node", "test/servers/prepare.mjs"], minutes: 30 },
  {
    name: "unit and contract",
    vitest: [ALL_PROCESSORS, ...[...PACKAGED, SITE, `${FAULTS}**`].map((file) => `--exclude=${file}`)],
    minutes: 45,
  },
  { name: "faults", vitest: [ALL_PROCESSORS, FAULTS], minutes: 30 },
  { name: "package", vitest: PACKAGED },
  { name: "release", command: ["node", "scripts/release.mjs"] },
  { name: "benchmarks", command: ["node", "bench/run.mjs", "--quick"] },
  // The longest ones first.
  { name: "airflow", vitest: ["--config", "test/interop/airflow/vitest.config.ts"], minutes: 30, narrow: true },
  { name: "Node 22", vitest: EVERYWHERE, node: () => nodeBinary(22), minutes: 15, narrow: true },
  { name: "Node 24", vitest: EVERYWHERE, node: () => nodeBinary(24), minutes: 15, narrow: true },
  { name: "runtimes", vitest: ["--config", "test/interop/runtimes/vitest.config.ts"], minutes: 20, narrow: true },
  { name: "docs site", vitest: [SITE], narrow: true },
  { name: "bundlers", vitest: ["--config", "test/interop/bundlers/vitest.config.ts"], narrow: true },
  { name: "peers", vitest: ["--config", "test/interop/peers/vitest.config.ts"], narrow: true },
  { name: "examples", command: ["node", "scripts/examples.mjs"], narrow: true },
  { name: "quickstart", command: ["node", "examples/quickstart.mjs"], narrow: true },
];
