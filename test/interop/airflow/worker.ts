/** A worker project: the packed stowage, Airflow's SDK, and handlers packed into one file by `airflow-ts-pack`. */
import { execFile } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { nodeBinary } from "../../../scripts/node-versions.mjs";
import { ROOT } from "../../support/installed.js";

const run = promisify(execFile);
const QUIET = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--omit=peer"];

export interface Worker {
  readonly folder: string;
  /** Installs packages from npm beside stowage. */
  install(...packages: string[]): Promise<void>;
  /** Runs a program of the project with Node 22; its output. */
  node(...args: string[]): Promise<string>;
  npm(...args: string[]): Promise<string>;
  /** Copies a folder into the project, under its own name. */
  copy(from: string): Promise<void>;
  edit(file: string, change: (text: string) => string): Promise<void>;
}

/** A copy of the example's project in `folder`, with what `npm run build` made as its stowage. */
export async function makeWorker(folder: string): Promise<Worker> {
  await mkdir(folder, { recursive: true });
  const skipped = /\/(node_modules|dist|handlers|home|store)$/;
  await cp(join(ROOT, "examples/airflow"), folder, { recursive: true, filter: (from) => !skipped.test(from) });
  const pack = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const [{ filename }] = JSON.parse((await run("npm", pack, { cwd: ROOT })).stdout) as [{ filename: string }];
  const node = await nodeBinary(22);
  const options = () => ({
    cwd: folder,
    env: { ...process.env, PATH: `${dirname(node)}:${process.env.PATH}` },
    maxBuffer: 64 * 1024 * 1024,
  });
  const npm = async (...args: string[]) => (await run("npm", args, options())).stdout;
  const install = async (...packages: string[]) => {
    await npm("install", ...QUIET, ...packages);
  };
  await install(join(folder, filename));
  return {
    folder,
    install,
    npm,
    copy: (from) => cp(from, join(folder, basename(from)), { recursive: true }),
    edit: async (file, change) => writeFile(file, change(await readFile(file, "utf8"))),
    node: async (...args) => (await run(node, args, options())).stdout,
  };
}
