/**
 * Returns one version's section of CHANGELOG.md, for its release notes.
 *
 *     node scripts/changelog.mjs 0.1.0      prints it; fails if there is none. `v0.1.0` is the same version
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** `## [0.1.0] - 2026-12-24`, with or without the brackets, and ` [YANKED]` for a withdrawn version. */
const HEADING = /^## \[?([^\]\s]+)\]?(?: - (\S+))?(?: \[YANKED\])?\s*$/;
const DATE = /^\d{4}-\d\d-\d\d$/;

/**
 * Returns the text below the heading of `version`, up to the next version. Throws if the section is missing,
 * duplicated, without a date, or without an entry.
 * @param {string} changelog in the form of Keep a Changelog 1.1.0
 * @param {string} version with or without a leading `v`
 */
export function sectionOf(changelog, version) {
  const number = version.replace(/^v/, "");
  const sections = sectionsIn(changelog).filter((section) => section.version === number);
  const [section] = sections;
  if (!section) throw new Error(`CHANGELOG.md has no section "## [${number}] - <date>"`);
  if (sections.length > 1) throw new Error(`CHANGELOG.md has ${sections.length} sections of ${number}`);
  if (!DATE.test(section.date)) throw new Error(`the section ${number} of CHANGELOG.md has no date such as 2026-12-24`);
  if (!/^[-*] /m.test(section.text)) throw new Error(`the section ${number} of CHANGELOG.md has no entry`);
  return section.text;
}

/** @param {string} changelog @returns {{ version: string, date: string, text: string }[]} */
function sectionsIn(changelog) {
  const parts = changelog.replaceAll("\r\n", "\n").split(/^(?=## )/m);
  return parts.flatMap((part) => {
    const [heading = "", ...lines] = part.split("\n");
    const [, version, date = ""] = HEADING.exec(heading) ?? [];
    return version === undefined ? [] : [{ version, date, text: withoutLinks(lines).trim() }];
  });
}

/** Removes the final definitions of links such as `[0.1.0]: https://…`. @param {string[]} lines */
function withoutLinks(lines) {
  return lines.filter((line) => !/^\[[^\]]+\]: /.test(line)).join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [version] = process.argv.slice(2);
  try {
    if (!version) throw new Error("usage: node scripts/changelog.mjs <version>");
    console.log(sectionOf(await readFile(new URL("../CHANGELOG.md", import.meta.url), "utf8"), version));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
