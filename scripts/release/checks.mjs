/** What a tarball must fulfil before it is published. Each check returns the problems that it found. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { anchorOf } from "../../docs/.vitepress/pages.mjs";
import { closureOf, refusedLicences } from "./dependencies.mjs";
import { deadInTarball, deadInTree } from "./links.mjs";
import { ROOT } from "./settings.mjs";

/**
 * @typedef {{ problems: string[], about?: string, skipped?: string }} Finding
 * @typedef {import("./pack.mjs").Packed} Packed
 * @typedef {typeof import("./expected.json", { with: { type: "json" } })} Expected
 */

const readJson = async (/** @type {string} */ file) => JSON.parse(await readFile(join(ROOT, file), "utf8"));

/**
 * Compares the files with the list: every file must be in it, and every pattern must match a file.
 * @param {string[]} files
 * @param {string[]} patterns `*` is any name in a folder
 */
export function checkContents(files, patterns) {
  const expressions = patterns.map((pattern) => new RegExp(`^${pattern.split("*").map(escaped).join("[^/]+")}$`));
  const strangers = files.filter((file) => !expressions.some((one) => one.test(file)));
  const empty = patterns.filter((_, i) => !files.some((file) => expressions[i]?.test(file)));
  return {
    problems: [
      ...strangers.map((file) => `${file} is not in scripts/release/expected.json`),
      ...empty.map((one) => `no file matches ${one} of scripts/release/expected.json`),
    ],
    about: `${files.length} files`,
  };
}

const escaped = (/** @type {string} */ text) => text.replace(/[.+?^${}()|[\]\\]/g, "\\$&");

/** @param {Packed} packed @param {{ maxTarballBytes: number, maxUnpackedBytes: number }} limits */
export function checkSize({ size, unpackedSize }, { maxTarballBytes, maxUnpackedBytes }) {
  const over = (/** @type {string} */ what, /** @type {number} */ bytes, /** @type {number} */ limit) =>
    bytes > limit ? [`${what} has ${bytes} bytes, more than ${limit}`] : [];
  const problems = [
    ...over("the tarball", size, maxTarballBytes),
    ...over("the installed package", unpackedSize, maxUnpackedBytes),
  ];
  return { problems, about: `${size} bytes packed, ${unpackedSize} installed` };
}

/** Links and pictures of the packed pages, and the links in the repository that they came from. @param {Packed} packed */
export async function checkLinks({ folder, files }) {
  const problems = [];
  const names = new Set(files);
  let links = 0;
  for (const file of files.filter((name) => name.endsWith(".md"))) {
    const packed = await readFile(join(folder, file), "utf8");
    problems.push(...deadInTarball(packed, file, names).map((to) => `${file} in the tarball: ${to} leads nowhere`));
    const source = await readFile(join(ROOT, file), "utf8");
    links += source.match(/\]\(/g)?.length ?? 0;
    problems.push(...deadInTree(source, file, TREE).map((to) => `${file}: ${to} leads nowhere`));
  }
  return { problems, about: `${links} links; addresses of other hosts are not opened` };
}

const TREE = {
  exists: (/** @type {string} */ path) => existsSync(join(ROOT, path)),
  anchors: (/** @type {string} */ path) => {
    const text = readFileSync(join(ROOT, path), "utf8").replace(/^```[\s\S]*?^```/gm, "");
    const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading));
    return new Set(headings);
  },
};

/** @param {Packed} packed */
export async function checkPublint({ folder }) {
  const { messages, pkg } = await publint({ pkgDir: folder, strict: true, pack: false });
  return { problems: messages.map((message) => formatMessage(message, pkg) ?? message.code) };
}

/** Whether the types resolve for every way of importing that is supported. @param {Packed} packed */
export async function checkTypes({ tarball }) {
  const attw = join(ROOT, "node_modules/.bin/attw");
  const { stdout, code } = await output(attw, [tarball, "--profile", "esm-only", "--no-color"], ROOT);
  return { problems: code === 0 ? [] : [stdout] };
}

/** Licences of what is installed with this package, and of the optional peers. @param {string[]} allowed */
export async function checkLicences(allowed) {
  const { dependencies, peerDependencies } = await readJson("package.json");
  const { packages } = await readJson("package-lock.json");
  const found = closureOf(packages, Object.keys({ ...dependencies, ...peerDependencies }));
  return { problems: refusedLicences(found, allowed), about: `${Object.keys(found).length} packages` };
}

/**
 * Writes the SBOM of the package and of its dependencies in the versions that the tests ran with.
 * @param {Packed} packed
 * @param {string} project an empty folder, which gets the lock file that `npm audit` reads as well
 * @param {string} into
 */
export async function checkSbom({ manifest }, project, into) {
  const { packages } = await readJson("package-lock.json");
  const found = closureOf(packages, Object.keys(manifest.dependencies));
  const { name, version, license, dependencies } = manifest;
  const root = { name, version, license, dependencies };
  await mkdir(project, { recursive: true });
  await writeFile(join(project, "package.json"), JSON.stringify(root));
  const lock = { name, version, lockfileVersion: 3, requires: true, packages: { "": root, ...found } };
  await writeFile(join(project, "package-lock.json"), JSON.stringify(lock));
  const args = ["sbom", "--package-lock-only", "--sbom-format=cyclonedx", "--sbom-type=library"];
  const { stdout, stderr, code } = await output("npm", args, project);
  if (code !== 0) return { problems: [stderr] };
  await writeFile(into, stdout);
  return sbomFinding(JSON.parse(stdout), manifest, found);
}

/**
 * Compares an SBOM with the lock file it is to describe.
 * @param {any} sbom
 * @param {Record<string, any>} manifest
 * @param {Record<string, import("./dependencies.mjs").LockEntry>} packages
 */
export function sbomFinding(sbom, { name, version }, packages) {
  const wanted = Object.entries(packages).map(
    ([place, entry]) => `${place.replace(/^.*node_modules\//, "")}@${entry.version}`,
  );
  const listed = sbom.components.map((/** @type {any} */ one) => one["bom-ref"]);
  const problems = [
    ...wanted.filter((one) => !listed.includes(one)).map((one) => `the SBOM lacks ${one}`),
    ...listed
      .filter((/** @type {string} */ one) => !wanted.includes(one))
      .map((/** @type {string} */ one) => `the SBOM has ${one}`),
    ...(sbom.metadata.component["bom-ref"] === `${name}@${version}` ? [] : [`the SBOM is not of ${name}@${version}`]),
  ];
  return { problems, about: listed.join(", ") };
}

/** @param {string} project a folder with the lock file of the dependencies */
export async function checkAudit(project) {
  const { stdout } = await output("npm", ["audit", "--omit=dev", "--package-lock-only", "--json"], project);
  return auditFinding(stdout);
}

/** Reads the report of `npm audit`; a registry that has none is a skip with the reason, never a pass. @param {string} stdout @returns {Finding} */
export function auditFinding(stdout) {
  let report;
  try {
    report = JSON.parse(stdout);
  } catch {
    return { problems: [], skipped: "npm audit printed no report" };
  }
  const total = report.metadata?.vulnerabilities?.total;
  if (typeof total !== "number") {
    return { problems: [], skipped: `the registry gives no advisories: ${report.message ?? "no reason"}` };
  }
  const found = Object.values(report.vulnerabilities ?? {});
  const problems = found.map((/** @type {any} */ { name, severity, range }) => `${name} ${range}: ${severity}`);
  return { problems: total > 0 && problems.length === 0 ? [`${total} advisories`] : problems };
}

/** @param {string} program @param {string[]} args @param {string} cwd */
async function output(program, args, cwd) {
  return new Promise((/** @type {(done: { stdout: string, stderr: string, code: number }) => void} */ done) => {
    execFile(program, args, { cwd, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      done({ stdout, stderr, code: error ? 1 : 0 });
    });
  });
}
