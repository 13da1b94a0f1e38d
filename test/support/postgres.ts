/** A Postgres server of its own in a temporary folder, gone with `stop`. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chown, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, describe } from "vitest";
import { freePort } from "../servers/process.mjs";

/** Where Debian's packages put the programs, one folder for each major version. */
const DEBIAN = "/usr/lib/postgresql";
/** The user `nobody`: Postgres does not run as root. */
const NOBODY = 65534;

export interface Postgres {
  url: string;
  stop(): Promise<void>;
}

/** Why there is none here; undefined when there is. */
export async function whyNoPostgres(): Promise<string | undefined> {
  return (await programs())
    ? undefined
    : "no postgres on the PATH or in /usr/lib/postgresql; Debian has it as postgresql";
}

export async function startPostgres(): Promise<Postgres> {
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

/** A server of the tests of one `describe`; set when they run. */
export interface TestDatabase {
  url: string;
  pool: pg.Pool;
}

/** A `describe` with a server of its own. Without Postgres it is skipped with the reason, and fails in CI. */
export async function describeOnPostgres(title: string, tests: (database: TestDatabase) => void): Promise<void> {
  const reason = await whyNoPostgres();
  const name = reason === undefined ? title : `${title} [${reason}]`;
  describe.skipIf(reason !== undefined && !process.env.CI)(name, () => {
    const database = {} as TestDatabase;
    let postgres: Postgres | undefined;
    beforeAll(async () => {
      postgres = await startPostgres();
      database.url = postgres.url;
      database.pool = new pg.Pool({ connectionString: postgres.url });
      // A connection that the server ends while it is idle is no failure of a test.
      database.pool.on("error", () => {});
    }, 120_000);
    afterAll(async () => {
      await database.pool?.end();
      await postgres?.stop();
    });
    tests(database);
  });
}

async function programs(): Promise<string | undefined> {
  const versions = await readdir(DEBIAN).catch(() => []);
  const debian = versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(DEBIAN, version, "bin"));
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...debian];
  return folders.find((folder) => ["initdb", "postgres"].every((name) => existsSync(join(folder, name))));
}

async function ready(url: string, server: ChildProcess): Promise<void> {
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
