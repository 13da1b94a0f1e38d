/**
 * A cloud's line in front of an emulator: a TCP proxy in a process of its own with the limits of LIMITS.
 *
 * `node bench/line.mjs` prints what the proxy itself carries, with its limits and without: it must not be what a
 * benchmark measures.
 */
import { spawn } from "node:child_process";
import { createConnection, createServer } from "node:net";
import { createInterface } from "node:readline";

const MIB = 2 ** 20;

/** Of a VM to a bucket in its region; 85 to 90 MB/s for a connection is what S3's own guidance says. */
export const LIMITS = {
  /** Before the first byte of each answer. */
  answerMs: 30,
  /** Before the first byte of a connection goes out. */
  connectMs: 10,
  /** Bytes per second of one connection, each way, and of all together. */
  connectionRate: 80 * MIB,
  totalRate: 1200 * MIB,
};

/** How late a timer may be without its bytes being lost to the line. */
const LATE_MS = 5;

/** Starts the proxy before `endpoint`; `endpoint` of the result leads through it. */
export async function openLine(endpoint, limits = LIMITS) {
  const { protocol, hostname, port, pathname } = new URL(endpoint);
  const line = await started("proxy", { host: hostname, port: Number(port), limits });
  const path = pathname === "/" ? "" : pathname;
  return { endpoint: `${protocol}//127.0.0.1:${line.port}${path}`, close: line.close };
}

/** Starts a role of this file; resolves once it listens. */
async function started(role, options) {
  const child = spawn(process.execPath, [import.meta.filename, role, JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const { value } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  const close = () =>
    new Promise((resolve) => {
      child.once("exit", resolve);
      child.kill();
    });
  return { port: Number(value), close };
}

/** When bytes may pass a line of `rate` bytes per second. */
class Pace {
  #free = 0;

  constructor(rate) {
    this.rate = rate / 1000;
  }

  take(bytes, now) {
    this.#free = Math.max(this.#free, now - LATE_MS) + bytes / this.rate;
    return this.#free;
  }
}

function proxy({ host, port, limits }) {
  const { answerMs, connectMs, connectionRate, totalRate } = limits;
  const up = new Pace(totalRate);
  const down = new Pace(totalRate);
  return createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    const far = createConnection({ host, port, noDelay: true, allowHalfOpen: true });
    const opened = performance.now() + connectMs;
    let answered = true;
    carry(near, far, [up, new Pace(connectionRate)], () => {
      answered = false;
      return opened;
    });
    carry(far, near, [down, new Pace(connectionRate)], (now) => {
      if (answered) return 0;
      answered = true;
      return now + answerMs;
    });
  });
}

/** Carries what comes from `from` to `to` in order, each chunk when all paces, and `earliest`, let it pass. */
function carry(from, to, paces, earliest) {
  let after = 0;
  let waiting = false;
  let full = false;
  let ended = false;
  const settle = () => {
    if (waiting || full) from.pause();
    else from.resume();
  };
  const pass = (chunk) => {
    waiting = false;
    full = !to.write(chunk);
    settle();
    if (ended) to.end();
  };
  to.on("drain", () => {
    full = false;
    settle();
  });
  from.on("data", (chunk) => {
    const now = performance.now();
    after = Math.max(after, earliest(now));
    const due = Math.max(after, ...paces.map((pace) => pace.take(chunk.byteLength, Math.max(now, after))));
    // What is due within a timer's grain goes at once; the pace keeps count.
    if (due - now < 1) return pass(chunk);
    waiting = true;
    settle();
    setTimeout(() => pass(chunk), due - now);
  });
  // A paused socket emits its end as well, which must not overtake the chunk that waits.
  from.on("end", () => {
    ended = true;
    if (!waiting) to.end();
  });
  from.on("error", () => to.destroy());
  from.on("close", () => {
    if (!waiting) to.destroySoon();
  });
}

/** Answers each connection with bytes for as long as it stays. */
function source() {
  const chunk = Buffer.alloc(MIB);
  return createServer((socket) => {
    const more = () => {
      while (socket.write(chunk));
    };
    socket.on("drain", more).on("error", () => {});
    more();
  });
}

/** MiB per second that come over so many connections. */
function carried(port, connections, seconds) {
  let bytes = 0;
  const buffer = Buffer.alloc(64 * 1024);
  const onread = {
    buffer,
    callback: (count) => {
      bytes += count;
      return true;
    },
  };
  const sockets = Array.from({ length: connections }, () => createConnection({ port, host: "127.0.0.1", onread }));
  for (const socket of sockets) socket.on("error", () => {});
  return new Promise((resolve) => {
    setTimeout(() => {
      for (const socket of sockets) socket.destroy();
      resolve(Math.round(bytes / MIB / seconds));
    }, seconds * 1000);
  });
}

async function probe() {
  const from = await started("source", {});
  const open = { answerMs: 0, connectMs: 0, connectionRate: Number.MAX_VALUE, totalRate: Number.MAX_VALUE };
  for (const [name, limits] of [
    ["with its limits", LIMITS],
    ["without", open],
  ]) {
    const line = await started("proxy", { host: "127.0.0.1", port: from.port, limits });
    for (const connections of [1, 4, 8, 16])
      console.log(`${name}, ${connections} connections: ${await carried(line.port, connections, 2)} MiB/s`);
    await line.close();
  }
  await from.close();
}

const [, script, role, options] = process.argv;
if (script === import.meta.filename) {
  if (role === undefined) await probe();
  else {
    const server = { proxy, source }[role](JSON.parse(options));
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));
    // Ends with the process that started it.
    process.stdin.on("end", () => process.exit()).resume();
  }
}
