/** The checks of the release, each with a tarball that it must refuse; `node scripts/release.mjs` runs them on the real one. */
import { describe, expect, test } from "vitest";
import { auditFinding, checkContents, checkSize, sbomFinding } from "../../scripts/release/checks.mjs";
import { closureOf, refusedLicences } from "../../scripts/release/dependencies.mjs";
import { deadInTarball, deadInTree, linksOf, packedMarkdown } from "../../scripts/release/links.mjs";
import { basePath, missingLines, settings } from "../../scripts/release/settings.mjs";
import { bumped, nextRelease, opened } from "../../scripts/release/version.mjs";

describe("release.json", () => {
  const lines = (change: object) => JSON.stringify({ repository: "", npm: "stowage", site: "", ...change });

  test("of this repository is well-formed", () => {
    expect(settings().npm).not.toBe("");
  });
  test("may have empty addresses, which a release then names", () => {
    expect(missingLines(settings(lines({})))).toEqual(["repository", "site"]);
    const filled = { repository: "https://git.test/o/r.git", site: "https://o.test/r/" };
    expect(settings(lines(filled))).toEqual({
      repository: "https://git.test/o/r",
      npm: "stowage",
      site: "https://o.test/r",
    });
    expect(missingLines(settings(lines(filled)))).toEqual([]);
  });
  test.each([
    [{ repository: "http://git.test/o/r" }, "repository must be an https address"],
    [{ repository: "git@git.test:o/r" }, "repository must be an https address"],
    [{ site: "https://user:pass@o.test" }, "site must be an https address"],
    [{ site: undefined }, "site must be an https address"],
    [{ npm: "Stowage" }, "npm is not the name of a package"],
    [{ npm: "" }, "npm is not the name of a package"],
    [{ owner: "" }, 'unknown line "owner"'],
  ])("with %j is refused", (change, reason) => {
    expect(() => settings(lines(change))).toThrow(reason);
  });
  test("gives the site its path", () => {
    expect([basePath(""), basePath("https://o.test"), basePath("https://o.test/r")]).toEqual(["/", "/", "/r/"]);
  });
});

describe("links of packed pages", () => {
  const packed = new Set(["README.md", "SECURITY.md"]);
  const isFolder = (path: string) => path === "docs/systems";
  const to = { file: "README.md", packed, isFolder, repository: "https://git.test/o/r", ref: "v1.2.3" };
  const page = (target: string) => `[text](${target})`;

  test.each([
    ["SECURITY.md#trust", "SECURITY.md#trust"],
    ["#install", "#install"],
    ["https://o.test/x", "https://o.test/x"],
    ["docs/cli.md#ls", "https://git.test/o/r/blob/v1.2.3/docs/cli.md#ls"],
    ["docs/systems", "https://git.test/o/r/tree/v1.2.3/docs/systems"],
  ])("%s becomes %s", (from, target) => {
    expect(packedMarkdown(page(from), to)).toBe(page(target));
  });
  test("pictures become absolute, even if they were packed", () => {
    expect(packedMarkdown("![a](chart.svg)", { ...to, packed: new Set(["chart.svg"]) })).toBe(
      "![a](https://git.test/o/r/raw/v1.2.3/chart.svg)",
    );
  });
  test("without an address of the repository only the text stays", () => {
    const markdown = "see [the `ls` page](docs/cli.md), [trust](SECURITY.md)\n\n![a](chart.svg)\n\nend";
    expect(packedMarkdown(markdown, { ...to, repository: "" })).toBe("see the `ls` page, [trust](SECURITY.md)\n\nend");
  });
  test("code stays as it is", () => {
    const code = "`[a](docs/cli.md)` and\n```ts\nconst x = y[0](docs/cli.md);\n```\n";
    expect(packedMarkdown(code, to)).toBe(code);
    expect(linksOf(code)).toEqual([]);
  });
  test("dead ones are named", () => {
    const dead = deadInTarball(
      "[a](docs/cli.md) [b](SECURITY.md#x) ![c](chart.svg) ![d](http://o.test/a.svg)",
      "README.md",
      packed,
    );
    expect(dead).toEqual(["docs/cli.md", "chart.svg", "http://o.test/a.svg"]);
  });
  test("those of the repository must lead to a file and a heading", () => {
    const tree = {
      exists: (path: string) => path === "docs/a.md" || path === "docs/b.md",
      anchors: () => new Set(["here"]),
    };
    const markdown = "[a](b.md#here) [b](b.md#there) [c](c.md) [d](#here) [e](#there)";
    expect(deadInTree(markdown, "docs/a.md", tree)).toEqual(["b.md#there", "c.md", "#there"]);
  });
});

describe("the next version", () => {
  const changelog = (heading: string, ...kinds: string[]) =>
    `# Changelog\n\n## ${heading}\n\n${kinds.map((kind) => `### ${kind}\n\n- an entry\n`).join("\n")}\n## [0.1.0] - 2026-01-01\n\n### Added\n\n- old\n`;

  test.each([
    ["0.1.0", ["Fixed"], "0.1.1"],
    ["0.1.0", ["Fixed", "Security"], "0.1.1"],
    ["0.1.0", ["Added", "Fixed"], "0.2.0"],
    ["0.1.0", ["Renamed"], "0.2.0"],
    ["1.4.2", ["Changed"], "1.5.0"],
    ["1.4.2", ["Added", "Removed"], "2.0.0"],
  ])("after %s with %j is %s", (version, kinds, next) => {
    expect(bumped(version, kinds)).toBe(next);
    expect(nextRelease(changelog("[Unreleased]", ...kinds), version, "2026-12-24")?.version).toBe(next);
  });
  test("gets its date, its notes, and a place for what comes after it", () => {
    const next = nextRelease(changelog("[0.2.0] - Unreleased", "Added"), "0.1.0", "2026-12-24")!;
    expect(next.notes).toBe("### Added\n\n- an entry");
    expect(opened(next.changelog)).toContain("# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-12-24\n\n### Added");
  });
  test("must be the announced one", () => {
    expect(() => nextRelease(changelog("[0.1.1] - Unreleased", "Added"), "0.1.0", "2026-12-24")).toThrow(
      "announces 0.1.1, but its entries lead from 0.1.0 to 0.2.0",
    );
  });
  test.each([
    ["an empty section", changelog("[Unreleased]")],
    ["no section", changelog("[0.2.0] - 2026-02-02", "Added")],
  ])("does not come from %s", (_, text) => {
    expect(nextRelease(text, "0.2.0", "2026-12-24")).toBeUndefined();
  });
});

test("a file outside of the list, and a line of the list without a file, are named", () => {
  const list = ["README.md", "dist/*.js", "dist/cli/*.js"];
  expect(checkContents(["README.md", "dist/a.js", "dist/cli/b.js"], list).problems).toEqual([]);
  expect(
    checkContents(["README.md", "dist/a.js", "dist/cli/b.js.map", "dist/x/y.js", "xdist/a.js"], list).problems,
  ).toEqual([
    expect.stringContaining("dist/cli/b.js.map is not in"),
    expect.stringContaining("dist/x/y.js is not in"),
    expect.stringContaining("xdist/a.js is not in"),
    expect.stringContaining("no file matches dist/cli/*.js"),
  ]);
});

test("a tarball above its limits is refused", () => {
  const limits = { maxTarballBytes: 10, maxUnpackedBytes: 20 };
  const packed = (size: number, unpackedSize: number) => ({ size, unpackedSize }) as never;
  expect(checkSize(packed(10, 20), limits).problems).toEqual([]);
  expect(checkSize(packed(11, 21), limits).problems).toHaveLength(2);
});

describe("dependencies", () => {
  const packages = {
    "": { dependencies: { a: "1" } },
    "node_modules/a": {
      version: "1.0.0",
      license: "MIT",
      dependencies: { b: "1" },
      optionalDependencies: { c: "1", d: "1" },
    },
    "node_modules/a/node_modules/b": { version: "1.0.0", license: "GPL-3.0" },
    "node_modules/b": { version: "2.0.0", license: "MIT" },
    "node_modules/c": { version: "1.0.0", license: "(GPL-3.0 OR MIT)" },
    "node_modules/unused": { version: "1.0.0", license: "GPL-3.0" },
  };

  test("are found as Node finds them, with what they depend on", () => {
    expect(Object.keys(closureOf(packages, ["a"]))).toEqual([
      "node_modules/a",
      "node_modules/a/node_modules/b",
      "node_modules/c",
    ]);
    expect(() => closureOf(packages, ["missing"])).toThrow("package-lock.json has no missing for this package");
  });
  test("need an allowed licence", () => {
    expect(refusedLicences(closureOf(packages, ["a"]), ["MIT"])).toEqual(["b: GPL-3.0"]);
    expect(refusedLicences({ "node_modules/x": { version: "1.0.0" } }, ["MIT"])).toEqual(["x: no licence"]);
  });
  test("are all in the SBOM, and nothing else is", () => {
    const sbom = (...refs: string[]) => ({
      components: refs.map((ref) => ({ "bom-ref": ref })),
      metadata: { component: { "bom-ref": "stowage@1.0.0" } },
    });
    const check = (...refs: string[]) =>
      sbomFinding(sbom(...refs), { name: "stowage", version: "1.0.0" }, closureOf(packages, ["b"])).problems;
    expect(check("b@2.0.0")).toEqual([]);
    expect(check("x@1.0.0")).toEqual(["the SBOM lacks b@2.0.0", "the SBOM has x@1.0.0"]);
    expect(sbomFinding(sbom(), { name: "other", version: "1.0.0" }, {}).problems).toEqual([
      "the SBOM is not of other@1.0.0",
    ]);
  });
});

describe("npm audit", () => {
  const report = (total: number, vulnerabilities = {}) =>
    JSON.stringify({ vulnerabilities, metadata: { vulnerabilities: { total } } });

  test("passes without findings, and names each finding", () => {
    expect(auditFinding(report(0))).toEqual({ problems: [] });
    const finding = { saxen: { name: "saxen", severity: "high", range: "<12" } };
    expect(auditFinding(report(1, finding))).toEqual({ problems: ["saxen <12: high"] });
  });
  test.each(["", "{}", '{"message":"405 Method Not Allowed","statusCode":405}'])(
    "that reports %j is a skip",
    (stdout) => {
      expect(auditFinding(stdout)).toEqual({ problems: [], skipped: expect.any(String) });
    },
  );
});
