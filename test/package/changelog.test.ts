/** The notes of a release come from its section of CHANGELOG.md, and a release without one is refused. */
import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { sectionOf } from "../../scripts/changelog.mjs";

const ROOT = resolve(import.meta.dirname, "../..");

const CHANGELOG = `# Changelog

## [Unreleased]

### Added

- something that is not out yet

## [1.10.0] - 2026-12-24

### Added

- \`a\` and \`b\`

### Fixed

- a fault

## [1.1.0] - 2026-12-01 [YANKED]

- only entries, no kinds

## [1.0.0-beta.1]

- no date

## [0.9.0] - 2026-11-30

### Added

[Unreleased]: compare/v1.10.0...HEAD
[1.10.0]: compare/v1.1.0...v1.10.0
`;

describe("the section of a version", () => {
  test("is everything below its heading, up to the next version", () => {
    expect(sectionOf(CHANGELOG, "1.10.0")).toBe("### Added\n\n- `a` and `b`\n\n### Fixed\n\n- a fault");
  });
  test("is found by the name of its tag", () => {
    expect(sectionOf(CHANGELOG, "v1.10.0")).toBe(sectionOf(CHANGELOG, "1.10.0"));
  });
  test("is that of the whole version, not of one that begins like it", () => {
    expect(sectionOf(CHANGELOG, "1.1.0")).toBe("- only entries, no kinds");
    expect(() => sectionOf(CHANGELOG, "1.1")).toThrow('no section "## [1.1] - <date>"');
  });
  test("is read from files with CRLF", () => {
    expect(sectionOf(CHANGELOG.replaceAll("\n", "\r\n"), "1.10.0")).toBe(sectionOf(CHANGELOG, "1.10.0"));
  });
  test.each([
    ["2.0.0", 'CHANGELOG.md has no section "## [2.0.0] - <date>"'],
    ["1.0.0-beta.1", "has no date such as 2026-12-24"],
    ["Unreleased", "has no date such as 2026-12-24"],
    ["0.9.0", "the section 0.9.0 of CHANGELOG.md has no entry"],
  ])("of %s is refused: %s", (version, reason) => {
    expect(() => sectionOf(CHANGELOG, version)).toThrow(reason);
  });
  test("must not be there twice", () => {
    expect(() => sectionOf(`${CHANGELOG}\n## 1.10.0 - 2026-12-25\n\n- again\n`, "1.10.0")).toThrow("2 sections");
  });
});

test("the script exits with 1 for a version without a section", async () => {
  const run = promisify(execFile)(process.execPath, [join(ROOT, "scripts/changelog.mjs"), "v999.0.0"]);
  await expect(run).rejects.toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("[999.0.0]") });
});
