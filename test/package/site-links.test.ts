/** How links between files of the repository become links of the documentation site; the site itself is site.test.ts. */
import { expect, test } from "vitest";
import { anchorOf, linkOf, pageOf } from "../../docs/.vitepress/pages.mjs";

test.each([
  ["README.md", "overview.md"],
  ["docs/README.md", "pages.md"],
  ["docs/index.md", "index.md"],
  ["docs/guides/reading.md", "guides/reading.md"],
  ["docs/adr/README.md", "adr/index.md"],
  ["SECURITY.md", "security.md"],
  ["bench/README.md", "bench/README.md"],
])("%s is the page %s", (file, page) => {
  expect(pageOf(file)).toBe(page);
});

test.each([
  ["docs/guides/reading.md", "limits.md#memory", "/guides/limits.md#memory"],
  ["docs/guides/limits.md", "../../SECURITY.md", "/security.md"],
  ["README.md", "docs/systems/retention.md", "/systems/retention.md"],
  ["README.md", "docs/runtimes", "/runtimes/index.md"],
  ["README.md", "docs/missing.md", undefined],
  ["docs/comparison.md", "../bench/README.md", undefined],
  ["docs/airflow.md", "../examples/airflow", undefined],
])("in %s, %s leads to %s", (file, link, target) => {
  expect(linkOf(file, link)).toBe(target);
});

// As https://github.com/Flet/github-slugger has them in its fixtures.
test.each([
  ["Timeouts and retries", "timeouts-and-retries"],
  ["Content type, caching & `tags`", "content-type-caching--tags"],
  ["I ♥ unicode", "i--unicode"],
  ["a_b-c.d", "a_b-cd"],
  ["Привет", "привет"],
])("the heading %s has the anchor %s", (heading, anchor) => {
  expect(anchorOf(heading)).toBe(anchor);
});
