/** A Postgres server of its own in a temporary folder, gone with `stop`. */
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chown, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { freePort } from "./process.mjs";

/** Where Debian's packages put the programs, one folder for each major version. */
const DEBIAN = "/usr/lib/postgresql";
/** The user `nobody`: Postgres does not run as root. */
const NOBODY = 65534;

/** @typedef {{ url: string, stop(): Promise<void> }} Postgres */

/** Why there is none here; undefined when there is. @returns {Promise<string | undefined>} */
export async function whyNoPostgres() {
  return (await programs())
    ? undefined
    : "no postgres on the PATH or in /usr/lib/postgresql; Debian has it as postgresql";
}

/** @returns {Promise<Postgres>} */
export async function startPostgres() {
  const folder = await programs();
  if (!folder) throw new Error(await whyNoPostgres());
  const data = await mkdtemp(join(tmpdir(), "stowage-postgres-"));
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if (user.uid) await chown(data, NOBODY, NOBODY);
  const options = { ...user, cwd: data, env: { PATH: process.env.PATH, LC_ALL: "C.UTF-8" } };
  const init = ["-D", data, "-U", "stowage", "--auth=trust", "--encoding=UTF8", "--no-sync"];
  await promisify(execFile)(join(folder, "initdb"), init, options);
  const port = await freePort();
  const settings = ["fsync=off", "listen_addresses=127.0.0.1", `unix_socket_directories=${data}`];
  const args = ["-D", data, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])];
  const server = spawn(join(folder, "postgres"), args, { ...options, stdio: "ignore" });
  const url = `postgresql://stowage@127.0.0.1:${port}/postgres`;
  await ready(url, server);
  return {
    url,
    async stop() {
      const gone = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGINT");
      await gone;
      await rm(data, { recursive: true, force: true });
    },
  };
}

/** @returns {Promise<string | undefined>} */
async function programs() {
  const versions = await readdir(DEBIAN).catch(() => /** @type {string[]} */ ([]));
  const debian = versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(DEBIAN, version, "bin"));
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...debian];
  return folders.find((folder) => ["initdb", "postgres"].every((name) => existsSync(join(folder, name))));
}

/** @param {string} url @param {import("node:child_process").ChildProcess} server */
async function ready(url, server) {
  for (let tries = 0; ; tries++) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      return await client.end();
    } catch (error) {
      if (tries === 100 || server.exitCode !== null) throw error;
      await setTimeout(100);
    }
  }
}
