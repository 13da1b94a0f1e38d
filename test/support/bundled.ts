/** Programs in one file, as bundlers make them. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

/** One small get, on a Storage that nobody closes. */
export const GET = `
import { createObjects } from "stowage/core";
import { s3Objects } from "stowage/s3/keys";
const { keys, base } = JSON.parse(process.env.PLACE);
const storage = createObjects({ drivers: [s3Objects(keys)] });
console.log(await storage.text(base + "/small"));
`;

interface Keys {
  accessKey: string;
  secretKey: string;
  region: string;
  endpoint: string;
}

/** The environment of the programs: keys of the server, and a base. */
export function keysAndBase(server: Keys, base: string): { PLACE: string } {
  const { accessKey: accessKeyId, secretKey: secretAccessKey, region, endpoint } = server;
  return { PLACE: JSON.stringify({ keys: { accessKeyId, secretAccessKey, region, endpoint }, base }) };
}

/** Packs the program as `airflow-ts-pack` does: one ESM file for Node, nothing left outside. */
export async function bundled(folder: string, outfile: string, minify: boolean, program: string): Promise<string> {
  const entry = join(folder, "program.mjs");
  await writeFile(entry, program);
  await build({
    entryPoints: [entry],
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node22",
    minify,
    outfile,
    logLevel: "error",
  });
  return outfile;
}
