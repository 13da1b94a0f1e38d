/**
 * One subject in a process of its own: `node worker.mjs <subject> <target> <scenario>`, the last two as JSON. Prints a
 * line of JSON when it is ready, then one for each line that it reads: a round. Ends with its input.
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { obstacle, rounds, seed } from "./work.mjs";

const [name, targetText, scenarioText] = process.argv.slice(2);
const scenario = JSON.parse(scenarioText);
const { open } = await import(`./subjects/${name}.mjs`);
const subject = await open(JSON.parse(targetText));
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const cannot = obstacle(subject, scenario);

if (cannot) say({ cannot });
else await serve();
await subject.close?.();
process.exit(0);

/**
 * The most bytes that were resident. What getrusage says begins with those of the process that started this one, so that
 * Linux is asked for its own account.
 */
function peakBytes() {
  try {
    const [, kib] = /^VmHWM:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "latin1"));
    return kib * 1024;
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}

/** Resident bytes without the garbage of the start. Later rounds are not cleaned before: nobody's program is. */
function rested() {
  globalThis.gc?.();
  return process.memoryUsage.rss();
}

async function serve() {
  // What is kept in this process has to be put there by it.
  if (scenario.store === "memory") await seed(subject, scenario);
  const { before, work } = rounds(subject, scenario, `${scenario.name}/${name}`);
  say({ ready: true });
  let atRest;
  for await (const _ of createInterface({ input: process.stdin })) {
    await before?.();
    atRest ??= rested();
    const cpuBefore = process.cpuUsage();
    const start = performance.now();
    const done = await work();
    const seconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(cpuBefore);
    const peak = peakBytes();
    say({ done, seconds, cpu: (user + system) / 1e6, peak, grown: Math.max(0, peak - atRest) });
  }
}
