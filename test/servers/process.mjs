/** A server as a child process: its own folder, its own port, its output in a file, gone when we are. */
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { get as getHttp } from "node:http";
import { get as getHttps } from "node:https";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const START_TIMEOUT = 30_000;
/** Somebody else may take the port between our looking and the server's binding. */
const START_TRIES = 3;

/**
 * @typedef {object} Recipe
 * @property {string} name
 * @property {(at: { port: number, folder: string }) => { command: string, args: string[], env?: Record<string, string>, ready: string }} plan
 *   what to run, and the URL that answers once it is ready: of http, https, or tcp for other protocols
 * @property {string | Buffer} [ca] trusted when `ready` is https
 */

/** @typedef {{ port: number, folder: string, stop: () => Promise<void> }} Running */

/** Starts a server and waits until it answers. @param {Recipe} recipe @returns {Promise<Running>} */
export async function startProcess(recipe) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(recipe);
    } catch (error) {
      if (attempt === START_TRIES) throw error;
    }
  }
}

/** @param {Recipe} recipe @returns {Promise<Running>} */
async function start(recipe) {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), `stowage-${recipe.name}-`));
  const { command, args, env, ready } = recipe.plan({ port, folder });
  const log = join(folder, "server.log");
  const output = openSync(log, "w");
  const child = spawn(command, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  const ended = new Promise((resolve) => child.once("exit", resolve).once("error", resolve));
  const kill = () => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", kill);
  const signals = endOnSignals();
  const stop = async () => {
    process.off("exit", kill);
    signals.forget();
    child.kill("SIGKILL");
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await answering(ready, recipe.ca, ended);
  } catch (error) {
    const tail = readFileSync(log, "utf8").slice(-2000);
    await stop();
    throw new Error(`${recipe.name} did not start: ${error instanceof Error ? error.message : error}\n${tail}`);
  }
  return { port, folder, stop };
}

/** A signal that nobody handles ends a process without its `exit` event, which servers need to be taken along. */
function endOnSignals() {
  const end = () => process.exit(1);
  const signals = /** @type {const} */ (["SIGINT", "SIGTERM"]).filter((name) => process.listenerCount(name) === 0);
  for (const name of signals) process.once(name, end);
  return { forget: () => signals.forEach((name) => void process.off(name, end)) };
}

/** @param {string} url @param {string | Buffer | undefined} ca @param {Promise<unknown>} ended */
async function answering(url, ca, ended) {
  let over = false;
  void ended.then(() => {
    over = true;
  });
  const deadline = Date.now() + START_TIMEOUT;
  for (;;) {
    const status = await probe(url, ca);
    if (status !== undefined && status < 500) return;
    if (over) throw new Error("it exited");
    if (Date.now() > deadline) throw new Error(`no answer from ${url} in ${START_TIMEOUT / 1000} s`);
    await sleep(50);
  }
}

/** @param {string} url @param {string | Buffer | undefined} ca @returns {Promise<number | undefined>} */
function probe(url, ca) {
  if (url.startsWith("tcp:")) return accepts(new URL(url));
  return new Promise((resolve) => {
    const get = url.startsWith("https:") ? getHttps : getHttp;
    get(url, { ca, agent: false, timeout: 2000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    })
      .once("timeout", () => resolve(undefined))
      .once("error", () => resolve(undefined));
  });
}

/** Of a server that does not speak HTTP: 0 once it accepts connections. @param {URL} url @returns {Promise<number | undefined>} */
function accepts({ hostname, port }) {
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => resolve(0));
    socket.once("connect", () => socket.destroy()).once("error", () => resolve(undefined));
  });
}

/** A port of the loopback interface that was free just now. @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
