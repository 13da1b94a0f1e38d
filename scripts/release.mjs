/**
 * The release, and its dry run.
 *
 *     node scripts/release.mjs                       packs dist and checks the tarball; publishes nothing
 *     node scripts/release.mjs --into release        also keeps the tarball, sbom.cdx.json and notes.md in this folder
 *     node scripts/release.mjs --tag v0.2.0 --into release      as the workflow does: the version must be that of the
 *                                                    tag, and release.json must be filled in
 *     node scripts/release.mjs prepare               sets the version and the date of the next release in package.json,
 *                                                    package-lock.json and CHANGELOG.md
 *
 * The last line is `N passed, N failed`, with `, N skipped` if any; the exit code is 1 if anything failed.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { sectionOf } from "./changelog.mjs";
import {
  checkAudit,
  checkContents,
  checkLicences,
  checkLinks,
  checkPublint,
  checkSbom,
  checkSize,
  checkTypes,
} from "./release/checks.mjs";
import { pack } from "./release/pack.mjs";
import { missingLines, ROOT, settings } from "./release/settings.mjs";
import { nextRelease, opened } from "./release/version.mjs";

const at = (/** @type {string} */ file) => join(ROOT, file);
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { into: { type: "string" }, tag: { type: "string" } },
});

const EXAMPLE = "examples/airflow/package.json";

/** Sets version and date. */
async function prepare() {
  const manifest = await readFile(at("package.json"), "utf8");
  const { version } = JSON.parse(manifest);
  const today = new Date().toISOString().slice(0, 10);
  const next = nextRelease(await readFile(at("CHANGELOG.md"), "utf8"), version, today);
  if (!next) throw new Error("CHANGELOG.md has no entries that are not released");
  const lock = JSON.parse(await readFile(at("package-lock.json"), "utf8"));
  lock.version = next.version;
  lock.packages[""].version = next.version;
  await writeFile(at("package.json"), manifest.replace(`"version": "${version}"`, `"version": "${next.version}"`));
  await writeFile(at("package-lock.json"), `${JSON.stringify(lock, null, 2)}\n`);
  // The example asks for this version.
  const example = await readFile(at(EXAMPLE), "utf8");
  await writeFile(at(EXAMPLE), example.replace(/("stowage": "\^)[^"]+/, `$1${next.version}`));
  await writeFile(at("CHANGELOG.md"), opened(next.changelog));
  console.log(`${version} -> ${next.version}, ${today}. Commit this, and push the tag v${next.version}.`);
}

/** The owner's lines, the tag and the changelog. @param {import("./release/pack.mjs").Packed} packed @returns {import("./release/checks.mjs").Finding} */
function checkOwner({ version, notes }) {
  const owner = settings();
  const missing = missingLines(owner);
  if (values.tag === undefined) {
    const about =
      missing.length > 0 ? `not filled in yet: ${missing.join(", ")}; links into the repository become text` : "";
    return { problems: [], about };
  }
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY } = process.env;
  const here = GITHUB_REPOSITORY && `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}`;
  return {
    problems: [
      ...missing.map((line) => `release.json: ${line} is not filled in`),
      ...(notes === "" ? [] : ["CHANGELOG.md has entries that are not released: node scripts/release.mjs prepare"]),
      ...(values.tag === `v${version}` ? [] : [`the tag is ${values.tag}, but the version is ${version}`]),
      // npm accepts a statement of provenance only for the repository that the manifest names.
      ...(here && owner.repository !== here ? [`release.json names ${owner.repository}, but this is ${here}`] : []),
    ],
  };
}

/** @param {string} folder */
async function check(folder) {
  const expected = JSON.parse(await readFile(at("scripts/release/expected.json"), "utf8"));
  const packed = await pack(folder);
  const project = join(folder, "project", "stowage");
  const sbom = join(folder, "sbom.cdx.json");
  console.log(`${packed.manifest.name} ${packed.version}: ${basename(packed.tarball)}`);
  /** @type {[string, () => import("./release/checks.mjs").Finding | Promise<import("./release/checks.mjs").Finding>][]} */
  const checks = [
    ["owner", () => checkOwner(packed)],
    ["contents", () => checkContents(packed.files, expected.files)],
    ["sizes", () => checkSize(packed, expected)],
    ["links and pictures", () => checkLinks(packed)],
    ["publint", () => checkPublint(packed)],
    ["types", () => checkTypes(packed)],
    ["licences", () => checkLicences(expected.licences)],
    ["SBOM", () => checkSbom(packed, project, sbom)],
    ["npm audit", () => checkAudit(project)],
  ];
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const [name, of] of checks) count[report(name, await of())]++;
  if (values.into !== undefined) await keep(packed, sbom, values.into);
  console.log(`${count.passed} passed, ${count.failed} failed${count.skipped > 0 ? `, ${count.skipped} skipped` : ""}`);
  return count.failed;
}

/** @param {string} name @param {import("./release/checks.mjs").Finding} finding */
function report(name, { problems, about, skipped }) {
  if (problems.length > 0) {
    console.log(`FAILED: ${name}`);
    for (const problem of problems) console.log(`  ${problem}`);
    return "failed";
  }
  if (skipped !== undefined) {
    console.log(`SKIPPED: ${name}: ${skipped}`);
    return "skipped";
  }
  console.log(`ok: ${name}${about ? ` (${about})` : ""}`);
  return "passed";
}

/** @param {import("./release/pack.mjs").Packed} packed @param {string} sbom @param {string} into */
async function keep({ tarball, notes, version }, sbom, into) {
  await mkdir(into, { recursive: true });
  await writeFile(join(into, basename(tarball)), await readFile(tarball));
  await writeFile(join(into, "sbom.cdx.json"), await readFile(sbom));
  const section = notes || sectionOf(await readFile(at("CHANGELOG.md"), "utf8"), version);
  await writeFile(join(into, "notes.md"), `${section}\n`);
}

const [command, ...others] = positionals;
if (others.length > 0 || (command !== undefined && command !== "prepare")) {
  throw new Error("usage: node scripts/release.mjs [prepare] [--into <folder>] [--tag <tag>]");
}
if (command === "prepare") await prepare();
else {
  const folder = await mkdtemp(join(tmpdir(), "stowage-release-"));
  try {
    process.exitCode = (await check(folder)) > 0 ? 1 : 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
