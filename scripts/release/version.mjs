/** The next version, from what CHANGELOG.md says that has changed. */
import { sectionOf } from "../changelog.mjs";

/** The section of what is not released yet: `## [Unreleased]`, or `## [0.2.0] - Unreleased` if its version is decided. */
const NEXT = /^## \[(?:Unreleased|(\d+\.\d+\.\d+(?:-[\w.]+)?))\](?: - Unreleased)?[ ]*$/m;
const BREAKING = ["Removed", "Renamed"];
const FEATURES = ["Added", "Changed", "Deprecated"];

/**
 * Returns the version that follows, by the kinds of entries: below 1.0 all but fixes are a minor version, from 1.0 on
 * `Removed` and `Renamed` are a major one.
 * @param {string} version
 * @param {string[]} kinds headings of Keep a Changelog that have entries
 */
export function bumped(version, kinds) {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number);
  if (major > 0 && kinds.some((kind) => BREAKING.includes(kind))) return `${major + 1}.0.0`;
  if (kinds.some((kind) => [...BREAKING, ...FEATURES].includes(kind))) return `${major}.${minor + 1}.0`;
  return `${major}.${minor}.${patch + 1}`;
}

/**
 * Returns the next release: its version, CHANGELOG.md with its date, and its notes. Undefined if nothing is unreleased.
 * Throws if the section names a version that its entries do not lead to.
 * @param {string} changelog
 * @param {string} current the version of package.json
 * @param {string} today such as 2026-12-24
 */
export function nextRelease(changelog, current, today) {
  const heading = NEXT.exec(changelog);
  if (!heading) return undefined;
  const text = changelog.slice(heading.index + heading[0].length).split(/^## /m, 1)[0] ?? "";
  const kinds = text
    .split(/^### /m)
    .slice(1)
    .filter((part) => /^[-*|] ?/m.test(part));
  if (kinds.length === 0) return undefined;
  const version = bumped(
    current,
    kinds.map((part) => part.split("\n", 1)[0]?.trim() ?? ""),
  );
  const stated = heading[1];
  if (stated !== undefined && stated !== version) {
    throw new Error(`CHANGELOG.md announces ${stated}, but its entries lead from ${current} to ${version}`);
  }
  const dated = changelog.replace(heading[0], () => `## [${version}] - ${today}`);
  return { version, changelog: dated, notes: sectionOf(dated, version) };
}

/** Adds the section for what comes next above the newest one. @param {string} changelog */
export function opened(changelog) {
  return changelog.replace(/^## /m, "## [Unreleased]\n\n## ");
}
