/** Measures one subject once and prints what it saw as JSON. Arguments: codec, subject, direction, content, bytes, file. */
import { readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { CONTENTS } from "./data.mjs";
import { SUBJECTS } from "./subjects.mjs";

const [codec, subject, direction, content, size, file] = process.argv.slice(2);
const { encode, decode, prepare } = await SUBJECTS[codec][subject]();
const run = direction === "encode" ? encode : decode;
if (!run) finish({ cannot: "-" });
const plain = () => CONTENTS[content](Number(size));
const packed = () => (prepare ? prepare(plain()) : readFileSync(file));
const data = direction === "encode" ? plain() : packed();
// Compiles what is hot; a file cannot be cut for that, so decoders warm up on all of it.
await run(direction === "encode" ? data.subarray(0, 4 * 2 ** 20) : data);
await new Promise((resolve) => setTimeout(resolve, 100));

const before = process.memoryUsage.rss();
let peak = before;
const watch = setInterval(() => {
  peak = Math.max(peak, process.memoryUsage.rss());
}, 5);
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const cpu = process.cpuUsage();
const start = performance.now();
const length = await run(data);
const wall = (performance.now() - start) / 1000;
const used = process.cpuUsage(cpu);
await new Promise((resolve) => setTimeout(resolve, 5));
delay.disable();
clearInterval(watch);
peak = Math.max(peak, process.memoryUsage.rss());
finish({ wall, cpu: (used.user + used.system) / 1e6, length, rss: (peak - before) / 2 ** 20, delay: delay.max / 1e6 });

function finish(answer) {
  console.log(JSON.stringify(answer));
  process.exit(0);
}
