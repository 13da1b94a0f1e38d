/**
 * Packs what `npm run build` made, as it is published: with the version and the date of the next release, the addresses
 * of release.json, and without what only this repository needs.
 */
import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { packedMarkdown } from "./links.mjs";
import { ROOT, settings } from "./settings.mjs";
import { nextRelease } from "./version.mjs";

const run = promisify(execFile);

/** The name of this package in its own examples. */
const OWN_NAME = /(?<=npm install |from "|import\(")stowage(?=["/\s])/g;

/**
 * @typedef {object} Packed
 * @property {string} folder the files before they were packed
 * @property {string} tarball
 * @property {string[]} files names in the tarball
 * @property {number} size bytes of the tarball
 * @property {number} unpackedSize bytes
 * @property {string} version
 * @property {string} notes the section of CHANGELOG.md; "" when nothing is unreleased
 * @property {Record<string, any>} manifest
 */

/**
 * Packs into a folder.
 * @param {string} into
 * @param {import("./settings.mjs").Settings} [owner]
 * @param {string} [today]
 * @returns {Promise<Packed>}
 */
export async function pack(into, owner = settings(), today = new Date().toISOString().slice(0, 10)) {
  const folder = join(into, "stowage");
  const [listed] = JSON.parse(
    (await run("npm", ["pack", "--json", "--dry-run", "--ignore-scripts"], { cwd: ROOT })).stdout,
  );
  /** @type {string[]} */
  const files = listed.files.map((/** @type {{ path: string }} */ { path }) => path);
  if (!files.includes("dist/index.js")) throw new Error("dist is not built: run npm run build");
  await mkdir(folder, { recursive: true });
  for (const file of files) await cp(join(ROOT, file), join(folder, file));

  const source = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  const next = nextRelease(await readFile(join(ROOT, "CHANGELOG.md"), "utf8"), source.version, today);
  const version = next?.version ?? source.version;
  const manifest = manifestOf(source, version, owner);
  await writeFile(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  if (next) await writeFile(join(folder, "CHANGELOG.md"), next.changelog);
  await rewriteLinks(folder, files, owner, version);

  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", into];
  const [report] = JSON.parse((await run("npm", args, { cwd: folder })).stdout);
  const packed = report.files.map((/** @type {{ path: string }} */ { path }) => path);
  const { filename, size, unpackedSize } = report;
  const tarball = join(into, filename);
  return { folder, tarball, files: packed, size, unpackedSize, version, notes: next?.notes ?? "", manifest };
}

/** @param {Record<string, any>} source @param {string} version @param {import("./settings.mjs").Settings} owner */
function manifestOf(source, version, { repository, npm, site }) {
  const { name: _, version: __, scripts: ___, devDependencies: ____, ...rest } = source;
  const addresses = {
    ...(repository && { repository: { type: "git", url: `git+${repository}.git` }, bugs: `${repository}/issues` }),
    ...((site || repository) && { homepage: site || `${repository}#readme` }),
  };
  return { name: npm, version, ...addresses, ...rest };
}

/** @param {string} folder @param {string[]} files @param {import("./settings.mjs").Settings} owner @param {string} version */
async function rewriteLinks(folder, files, { repository, npm }, version) {
  const packed = new Set(files);
  const isFolder = (/** @type {string} */ path) =>
    statSync(join(ROOT, path), { throwIfNoEntry: false })?.isDirectory() ?? false;
  for (const file of files.filter((name) => name.endsWith(".md"))) {
    const text = await readFile(join(folder, file), "utf8");
    const named = npm === "stowage" ? text : text.replace(OWN_NAME, npm);
    await writeFile(
      join(folder, file),
      packedMarkdown(named, { file, packed, isFolder, repository, ref: `v${version}` }),
    );
  }
}
