/**
 * 1,000 files of 1 MiB to a bucket and back, over a cloud's line (`line.mjs`): `stowage cp -r` beside `aws s3 cp
 * --recursive`, and `rclone copy --transfers 32` if it is on the PATH. Each command is a process, with its defaults.
 *
 *     npm run build && node bench/tree.mjs [rounds]
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { makeBucket, startMinio } from "../test/servers/index.mjs";
import { pythonWith } from "../test/support/environment.mjs";
import { openLine } from "./line.mjs";

const FILES = 1000;
const FOLDERS = 10;
const SIZE = 2 ** 20;
const rounds = Number(process.argv[2] ?? 3);

const run = promisify(execFile);
const minio = await startMinio();
const bucket = await makeBucket(minio);
const line = await openLine(minio.endpoint);
const folder = await mkdtemp(join(tmpdir(), "stowage-tree-"));
const from = join(folder, "from");
await fill();

const { accessKey, secretKey } = minio;
const connection = {
  conn_type: "aws",
  login: accessKey,
  password: secretKey,
  extra: { endpoint_url: line.endpoint, region_name: "us-east-1", provider: "minio" },
};
const keys = { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey, AWS_DEFAULT_REGION: "us-east-1" };
const stowage = join(import.meta.dirname, "../dist/cli/main.js");

const subjects = {
  stowage: {
    env: { AIRFLOW_CONN_IT: JSON.stringify(connection) },
    at: (prefix) => `s3://it@${bucket.name}/${prefix}`,
    args: (a, b) => [process.execPath, stowage, "cp", "-r", a, b],
  },
  ...(await awsCli()),
  ...(await rclone()),
};

const seconds = {};
for (let round = 0; round < rounds; round++) {
  for (const [name, { env, at, args }] of Object.entries(subjects)) {
    const back = join(folder, `back-${name}-${round}`);
    await mkdir(back);
    const there = at(`${name}-${round}`);
    for (const [way, a, b] of [
      ["up", from, there],
      ["down", there, back],
    ]) {
      const [command, ...rest] = args(a, b);
      const before = performance.now();
      await run(command, rest, { env: { PATH: process.env.PATH, HOME: folder, ...env }, maxBuffer: 2 ** 26 });
      seconds[`${name} ${way}`] = [...(seconds[`${name} ${way}`] ?? []), (performance.now() - before) / 1000];
    }
    const found = (await readdir(back, { recursive: true })).length - FOLDERS;
    if (found !== FILES) throw new Error(`${name} brought ${found} files back, not ${FILES}`);
    await rm(back, { recursive: true });
  }
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
for (const way of ["up", "down"]) {
  const own = median(seconds[`stowage ${way}`]);
  for (const name of Object.keys(subjects)) {
    const all = seconds[`${name} ${way}`];
    const spread = `${Math.min(...all).toFixed(1)} to ${Math.max(...all).toFixed(1)}`;
    const ratio = `stowage is ${(median(all) / own).toFixed(2)} times as fast`;
    console.log(`${way.padEnd(4)} ${name.padEnd(8)} ${median(all).toFixed(1).padStart(6)} s (${spread})  ${ratio}`);
  }
}

await rm(folder, { recursive: true });
await line.close();
await minio.stop();

async function fill() {
  for (let i = 0; i < FILES; i++) {
    const file = join(from, `folder-${i % FOLDERS}`, `file-${i}.bin`);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, randomBytes(SIZE));
  }
}

/** The AWS CLI of PyPI. */
async function awsCli() {
  try {
    const python = await pythonWith(join(import.meta.dirname, "awscli.txt"));
    const aws = join(dirname(python), "aws");
    const args = (a, b) => [aws, "s3", "cp", "--recursive", "--quiet", "--endpoint-url", line.endpoint, a, b];
    return { aws: { env: keys, at: (prefix) => `s3://${bucket.name}/${prefix}`, args } };
  } catch (error) {
    console.error(`without the AWS CLI: ${error.message.trim().split("\n").at(-1)}`);
    return {};
  }
}

async function rclone() {
  const there = await run("rclone", ["version"]).catch(() => undefined);
  if (!there) {
    console.error("without rclone, which is not on the PATH");
    return {};
  }
  const env = {
    RCLONE_CONFIG_IT_TYPE: "s3",
    RCLONE_CONFIG_IT_PROVIDER: "Minio",
    RCLONE_CONFIG_IT_ENDPOINT: line.endpoint,
    RCLONE_CONFIG_IT_ACCESS_KEY_ID: accessKey,
    RCLONE_CONFIG_IT_SECRET_ACCESS_KEY: secretKey,
  };
  const args = (a, b) => ["rclone", "copy", "--transfers", "32", "--quiet", a, b];
  return { rclone: { env, at: (prefix) => `it:${bucket.name}/${prefix}`, args } };
}
