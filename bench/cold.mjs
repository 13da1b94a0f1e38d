/**
 * What a fresh process costs, where nothing is compiled yet: 2,000 objects of 1 KiB into memory, 64 at once, and the case
 * of a function that is called seldom: load a program of one file, get one object of 1 MiB, end. Each run is a process
 * of its own; subjects take turns.
 *
 *     npm run build && node bench/cold.mjs [rounds]
 */
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { text } from "./data.mjs";
import { installPeers } from "./peers.mjs";
import { openPlace } from "./places.mjs";
import { seed } from "./work.mjs";

const HERE = import.meta.dirname;
const GETS = 2000;
const AT_ONCE = 64;
const KIB = 2 ** 10;
const MIB = 2 ** 20;

/** How each reads the same objects (`node:http` is the bare loop of the benchmark's limit), as text of a module: `get(key)`, and `close()` where there is something to close. */
const SUBJECTS = {
  stowage: `
    import { openStorage } from "stowage";
    const storage = openStorage({ env: {}, connections: { it: target.connection } });
    const get = (key) => storage.bytes(target.base + "/" + key);
    const close = () => storage.close();`,
  "stowage/core": `
    import { createObjects } from "stowage/core";
    import { s3Objects } from "stowage/s3/keys";
    const { endpoint, region, accessKey: accessKeyId, secretKey: secretAccessKey } = target.s3;
    const storage = createObjects({ drivers: [s3Objects({ endpoint, region, accessKeyId, secretAccessKey })] });
    const get = (key) => storage.bytes("s3://" + target.bucket + "/" + key);
    const close = () => storage.close?.();`,
  "aws-sdk": `
    import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
    const { endpoint, region, accessKey: accessKeyId, secretKey: secretAccessKey } = target.s3;
    const credentials = { accessKeyId, secretAccessKey };
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true, requestHandler: { httpAgent: { maxSockets: 256 } } });
    const get = async (Key) => (await client.send(new GetObjectCommand({ Bucket: target.bucket, Key }))).Body.transformToByteArray();
    const close = () => client.destroy();`,
  "node:http": `
    import { open } from "../subjects/probe.mjs";
    const { get, close = () => {} } = await open(target);`,
  opendal: `
    import { Operator } from "opendal";
    const { endpoint, region, accessKey: access_key_id, secretKey: secret_access_key } = target.s3;
    const operator = new Operator("s3", { bucket: target.bucket, endpoint, region, access_key_id, secret_access_key, disable_config_load: "true" });
    const get = (key) => operator.read(key);
    const close = () => {};`,
};

/** Imports come first in a module: what they cost is in the processor time of the process, which begins before them. */
const program = (subject, work) => `
${subject.replaceAll(/^\s*import .*$/gm, "").replace(/^/, `const target = JSON.parse(process.argv[2]);\n`)}
${work}
await close();
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ cpu: (user + system) / 1e6 }));
`;
const withImports = (subject, work) => subject.match(/^\s*import .*$/gm).join("\n") + program(subject, work);

const MANY = `
let next = 0;
await Promise.all(Array.from({ length: ${AT_ONCE} }, async () => {
  while (next < ${GETS}) if ((await get("small/" + next++)).length !== ${KIB}) throw new Error("cut off");
}));`;
const ONE = `if ((await get("large")).length !== ${MIB}) throw new Error("cut off");`;

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

installPeers();
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
const rounds = Number(process.argv[2] ?? 5);
const place = await openPlace("minio");
// Below this folder, so that a program finds the peers of the benchmark.
const folder = await mkdtemp(join(HERE, "cold-"));
try {
  await mkdir(join(folder, "node_modules"));
  await symlink(join(HERE, ".."), join(folder, "node_modules/stowage"));
  await filled();
  const bare = await script(
    "bare.mjs",
    "const { user, system } = process.cpuUsage(); console.log(JSON.stringify({ cpu: (user + system) / 1e6 }));",
  );
  await compare(
    `${GETS.toLocaleString("en")} gets of 1 KiB, ${AT_ONCE} at once, in a fresh process`,
    await loaded(MANY),
    bare,
  );
  await compare("a program of one file: load, get 1 MiB, end", await bundled(ONE), bare);
} finally {
  await place.close();
  await rm(folder, { recursive: true, force: true });
}

async function filled() {
  const { open } = await import("./subjects/stowage.mjs");
  const subject = await open(place.target);
  await seed(subject, { step: "get", size: KIB, count: GETS, seeds: "small" });
  await subject.put("large", text(MIB));
  await subject.close();
}

async function script(name, source) {
  const path = join(folder, name);
  await writeFile(path, source);
  return path;
}

/** As packages are installed: each module of its own. */
async function loaded(work) {
  const named = Object.entries(SUBJECTS).filter(([name]) => name !== "stowage/core");
  return Object.fromEntries(
    await Promise.all(
      named.map(async ([name, subject]) => [
        name,
        await script(`${name.replace(":", "-")}.mjs`, withImports(subject, work)),
      ]),
    ),
  );
}

/**
 * As functions are deployed: one file, minified, with nothing in it that this does not need, as the packages for other
 * clouds. OpenDAL is a native addon, which no bundler takes.
 */
async function bundled(work) {
  const paths = {};
  const { peerDependencies } = JSON.parse(await readFile(join(HERE, "../package.json"), "utf8"));
  for (const [name, subject] of Object.entries(SUBJECTS)) {
    if (name === "opendal" || name === "node:http") continue;
    const outfile = join(folder, `${name.replace("/", "-")}-bundle.mjs`);
    const banner = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
    await build({
      stdin: { contents: withImports(subject, work), resolveDir: folder, sourcefile: "program.mjs" },
      bundle: true,
      external: name === "aws-sdk" ? [] : Object.keys(peerDependencies),
      minify: true,
      platform: "node",
      format: "esm",
      outfile,
      logLevel: "error",
      banner: { js: banner },
    });
    paths[name] = outfile;
  }
  return paths;
}

async function compare(title, programs, bare) {
  const argument = JSON.stringify(place.target);
  const runs = Object.fromEntries(["bare Node", ...Object.keys(programs)].map((name) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const [name, path] of Object.entries({ "bare Node": bare, ...programs }))
      runs[name].push(started(path, argument));
  console.log(`\n${title}`);
  const own = { wall: median(runs.stowage.map(({ wall }) => wall)), cpu: median(runs.stowage.map(({ cpu }) => cpu)) };
  for (const [name, all] of Object.entries(runs)) {
    const [wall, cpu] = [median(all.map((one) => one.wall)), median(all.map((one) => one.cpu))];
    const walls = all.map((one) => one.wall);
    const spread = `${Math.min(...walls).toFixed(2)} to ${Math.max(...walls).toFixed(2)}`;
    const facts = [
      name.padEnd(12),
      `${wall.toFixed(3)} s (${spread})`.padStart(24),
      `${cpu.toFixed(3)} s of processor`.padStart(21),
      name === "bare Node"
        ? ""
        : `stowage: ${(wall / own.wall).toFixed(2)} x by the clock, ${(cpu / own.cpu).toFixed(2)} x per CPU-second`,
    ];
    console.log(facts.join("  "));
  }
}

function started(path, argument) {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, argument], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return { wall: (performance.now() - start) / 1000, ...JSON.parse(stdout) };
}
