/** A MariaDB server of its own in a temporary folder, gone with `stop`. */
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import mysql from "mysql2/promise";
import { freePort } from "./process.mjs";

/** The user `nobody`: MariaDB does not run as root unless asked to. */
const NOBODY = 65534;

/** @typedef {{ url: string, stop(): Promise<void>, kill(): Promise<void> }} MariaDb */

/** Why there is none here; undefined when there is. */
export function whyNoMariaDb() {
  return ["mariadbd", "mariadb-install-db"].every((name) => programAt(name))
    ? undefined
    : "no mariadbd on the PATH; Debian has it as mariadb-server";
}

/** The database `airflow`, by the login of its owner. @returns {Promise<MariaDb>} */
export async function startMariaDb() {
  const reason = whyNoMariaDb();
  if (reason) throw new Error(reason);
  const data = await mkdtemp(join(tmpdir(), "stowage-mariadb-"));
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if (user.uid) await chown(data, NOBODY, NOBODY);
  const options = { ...user, cwd: data, env: { PATH: process.env.PATH, LC_ALL: "C.UTF-8" } };
  const auth = ["--auth-root-authentication-method=normal", "--skip-test-db", "--cross-bootstrap"];
  await promisify(execFile)(programAt("mariadb-install-db"), ["--no-defaults", `--datadir=${data}`, ...auth], options);
  const port = await freePort();
  const socket = join(data, "socket");
  const args = ["--no-defaults", `--datadir=${data}`, `--port=${port}`, `--socket=${socket}`];
  const small = ["--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=0", `--tmpdir=${data}`];
  const server = spawn(programAt("mariadbd"), [...args, ...small], { ...options, stdio: "ignore" });
  const gone = new Promise((resolve) => server.once("exit", resolve));
  const end = async (/** @type {NodeJS.Signals} */ signal) => {
    server.kill(signal);
    await gone;
    await rm(data, { recursive: true, force: true });
  };
  await ready({ host: "127.0.0.1", port, user: "root" }, server);
  return {
    url: `mysql://root@127.0.0.1:${port}/airflow`,
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
  };
}

/** @param {string} name */
function programAt(name) {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/bin"];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? "";
}

/** @param {import("mysql2").ConnectionOptions} login @param {import("node:child_process").ChildProcess} server */
async function ready(login, server) {
  for (let tries = 0; ; tries++) {
    try {
      const connection = await mysql.createConnection(login);
      await connection.query("CREATE DATABASE airflow CHARACTER SET utf8mb4");
      return await connection.end();
    } catch (error) {
      if (tries === 100 || server.exitCode !== null) throw error;
      await setTimeout(100);
    }
  }
}
