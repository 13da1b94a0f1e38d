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
import { openStorage } from "stowage/lean";
import { fromS3Keys } from "stowage/s3";
const { base, connection } = JSON.parse(process.argv[2]);
const { login: accessKeyId, password: secretAccessKey, extra } = connection;
const keys = { accessKeyId, secretAccessKey, endpoint: extra.endpoint_url, region: extra.region_name };
const storage = openStorage({ env: {}, drivers: { s3: fromS3Keys(keys) } });
console.log((await storage.text(base.replace("it@", "") + "/start-up")).length);
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
  const argument = JSON.stringify(target);
  const times = { bare: [], get: [], load: [], linger: [] };
  for (let i = 0; i < runs; i++) {
    times.bare.push(await wall([bare]));
    const ended = await wall([bundle, argument]);
    times.get.push(ended);
    times.load.push(Number(spawnSync(process.execPath, [load], { encoding: "utf8" }).stdout));
    times.linger.push(lingering(bundle, argument));
  }
  const middle = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
  const { size } = await stat(bundle);
  const found = {
    importMs: middle(times.load),
    bundleBytes: size,
    getMs: middle(times.get) - middle(times.bare),
    lingerMs: middle(times.linger),
  };
  console.log("\nstart-up");
  console.table(found);
  return found;
}

/** How long `import` takes inside a process that already runs. */
const loading = (index) => `
const start = performance.now();
await import(${index});
console.log(performance.now() - start);
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
      "stowage/lean": join(HERE, "../dist/lean.js"),
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

async function wall(args) {
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return performance.now() - start;
}

/** Milliseconds between the last line that a process prints and its end, without what Node itself takes to end. */
function lingering(bundle, argument) {
  const watched = `
    const start = {};
    process.stdout.write = ((write) => (...args) => { start.at = performance.now(); return write.apply(process.stdout, args); })(process.stdout.write);
    process.on("exit", () => process.stderr.write(String(performance.now() - start.at)));
  `;
  const watch = `data:text/javascript,${encodeURIComponent(watched)}`;
  return Number(spawnSync(process.execPath, ["--import", watch, bundle, argument], { encoding: "utf8" }).stderr);
}
