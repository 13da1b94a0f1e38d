/** What it costs to begin: loading the package, and one get in a one-file bundle, each in a fresh process. */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { openPlace } from "./places.mjs";
import { open as openStowage } from "./subjects/stowage.mjs";

const HERE = import.meta.dirname;
const PROGRAM = `
import { createObjects } from "stowage/core";
import { s3Objects } from "stowage/s3/keys";
const { keys, at } = JSON.parse(process.argv[2]);
const storage = createObjects({ drivers: [s3Objects(keys)] });
console.log((await storage.text(at)).length);
`;
const MIN_RUNS = 5;

/** Milliseconds and bytes; times are medians of what a run takes longer than bare Node. */
export async function startUp(rounds) {
  const folder = await mkdtemp(join(tmpdir(), "stowage-startup-"));
  const place = await openPlace("minio");
  try {
    const storage = await openStowage(place.target);
    await storage.put("start-up", "text");
    await storage.close();
    return await timed(folder, place.target, Math.max(rounds, MIN_RUNS));
  } finally {
    await place.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function timed(folder, target, runs) {
  const bundle = await bundled(folder);
  const bare = await script(folder, "bare.mjs", "console.log(4);");
  const index = JSON.stringify(new URL("../dist/node/index.js", import.meta.url).href);
  const load = await script(folder, "load.mjs", loading(index));
  const { endpoint, region, accessKey: accessKeyId, secretKey: secretAccessKey } = target.s3;
  const keys = { endpoint, region, accessKeyId, secretAccessKey };
  const argument = JSON.stringify({ keys, at: `${target.base}/start-up` });
  const seen = { bare: [], get: [], load: [] };
  for (let i = 0; i < runs; i++) {
    seen.bare.push(started(bare));
    seen.get.push(started(bundle, argument));
    seen.load.push(JSON.parse(spawnSync(process.execPath, [load], { encoding: "utf8" }).stdout));
  }
  const middle = (kind, of) => seen[kind].map((one) => one[of]).sort((a, b) => a - b)[runs >> 1];
  const { size } = await stat(bundle);
  const found = {
    importMs: middle("load", "wall"),
    importCpuMs: middle("load", "cpu"),
    bundleBytes: size,
    getMs: middle("get", "wall") - middle("bare", "wall"),
    getCpuMs: middle("get", "cpu") - middle("bare", "cpu"),
    lingerMs: middle("get", "linger"),
  };
  console.log("\nstart-up");
  console.table(found);
  return found;
}

/** How long `import` takes inside a process that already runs. */
const loading = (index) => `
const before = process.cpuUsage();
const start = performance.now();
await import(${index});
const wall = performance.now() - start;
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ wall, cpu: (user + system) / 1000 }));
`;

async function script(folder, name, text) {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

async function bundled(folder) {
  const outfile = join(folder, "bundle.mjs");
  await build({
    stdin: { contents: PROGRAM, resolveDir: HERE, sourcefile: "program.mjs" },
    alias: {
      "stowage/core": join(HERE, "../dist/core.js"),
      "stowage/s3/keys": join(HERE, "../dist/fs/drivers/s3/keys.js"),
      "stowage/s3": join(HERE, "../dist/fs/drivers/s3/index.js"),
    },
    bundle: true,
    minify: true,
    platform: "node",
    format: "esm",
    outfile,
    logLevel: "error",
  });
  return outfile;
}

/** Tells at the end of a process its processor time, and the time since the last line that it printed. */
const WATCH = `data:text/javascript,${encodeURIComponent(`
  let last = 0;
  process.stdout.write = ((write) => (...args) => { last = performance.now(); return write.apply(process.stdout, args); })(process.stdout.write);
  process.on("exit", () => {
    const { user, system } = process.cpuUsage();
    process.stderr.write(JSON.stringify({ cpu: (user + system) / 1000, linger: performance.now() - last }));
  });
`)}`;

/** One start: milliseconds by the clock, of processor time, and between the last line and the end. */
function started(...args) {
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, ["--import", WATCH, ...args], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return { wall: performance.now() - start, ...JSON.parse(stderr) };
}
