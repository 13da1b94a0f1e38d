/** Runs a scenario with all its subjects, round by round in turn, so that what else the machine does falls on all alike. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const HERE = import.meta.dirname;
/** Seconds after which a round is given up. */
const PATIENCE = 600;

/** A subject's process: it answers each line with one. */
class Runner {
  #child;
  #lines;
  #errors = "";

  constructor([command, ...args], env) {
    this.#child = spawn(command, args, { cwd: HERE, stdio: ["pipe", "pipe", "pipe"], env });
    this.#child.on("error", (error) => {
      this.#errors += error.message;
    });
    // A process that has ended takes no more lines; what it said before tells why.
    this.#child.stdin.on("error", () => {});
    this.#child.stderr.on("data", (chunk) => {
      this.#errors = (this.#errors + chunk).slice(-4000);
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** The next answer, or why there is none. */
  async hear() {
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), PATIENCE * 1000);
    const { done, value } = await this.#lines.next();
    clearTimeout(timer);
    return done ? { cannot: `failed: ${reasonIn(this.#errors)}` } : JSON.parse(value);
  }

  ask() {
    this.#child.stdin.write("\n");
    return this.hear();
  }

  end() {
    this.#child.stdin.end();
    return new Promise((resolve) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) resolve();
      else this.#child.once("exit", resolve);
    });
  }
}

/** The line that names the error, as Node and Python print it: `Name: message`, not indented. */
function reasonIn(errors) {
  const lines = errors.split("\n");
  const named = lines.filter((line) => /^[\w.]+( \[\w+\])?: ./.test(line));
  return (named.at(-1) ?? lines.filter((line) => /error/i.test(line)).at(-1) ?? lines.at(-1)).trim().slice(0, 200);
}

/**
 * The measurements of one scenario by subject: `{ rounds: [...] }`, or `{ cannot: reason }`. The first rounds of each
 * subject warm up and do not count: one, unless it is the only one, or as many as the scenario says.
 */
export async function measure(scenario, target, commands, rounds) {
  const runners = await Promise.all(commands.map((one) => started(one, scenario, target)));
  const warmUp = rounds > 1 ? (scenario.warmUp ?? 1) : 0;
  for (let round = -warmUp; round < rounds; round++) {
    for (const one of runners) {
      if (one.cannot) continue;
      const answer = await one.runner.ask();
      if (answer.cannot) one.cannot = answer.cannot;
      else if (round >= 0) one.rounds.push(answer);
    }
  }
  await Promise.all(runners.map(({ runner }) => runner.end()));
  return Object.fromEntries(
    runners.map(({ subject, cannot, rounds }) => [subject, cannot ? { cannot } : summed(scenario, rounds)]),
  );
}

async function started([subject, command], scenario, target) {
  const runner = new Runner([...command, JSON.stringify(target), JSON.stringify(scenario)], environment(target));
  return { subject, runner, ...(await runner.hear()), rounds: [] };
}

/** With the certificate of a server with TLS, where Node, and libraries in Rust, look for it. */
function environment({ s3 }) {
  return s3?.caFile ? { ...process.env, NODE_EXTRA_CA_CERTS: s3.caFile, SSL_CERT_FILE: s3.caFile } : process.env;
}

/** Rates of all rounds: operations, or for large objects MiB, by second of wall clock and of processor. */
function summed({ size }, rounds) {
  const large = size >= 2 ** 20;
  const work = ({ done }) => (large ? (size * done) / 2 ** 20 : done);
  const spread = (of) => {
    const sorted = rounds.map(of).toSorted((a, b) => a - b);
    const middle = (sorted.length - 1) / 2;
    const median = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
    return { median, min: sorted[0], max: sorted.at(-1) };
  };
  return {
    unit: large ? "MiB/s" : "ops/s",
    wall: spread((round) => work(round) / round.seconds),
    cpu: spread((round) => work(round) / round.cpu),
    rounds: rounds.length,
    done: rounds.reduce((sum, { done }) => sum + done, 0),
    peak: Math.max(...rounds.map(({ peak }) => peak)),
    grown: Math.max(...rounds.map(({ grown }) => grown)),
  };
}
