/** docs/testing.md has the figures of the tree. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { figures } from "../support/figures.js";
import { ROOT } from "../support/installed.js";

const PAGE = join(ROOT, "docs/testing.md");

/** The table below the comment, without its rows. */
const TABLE = /(?<=<!-- figures: .* -->\n\| what \| number \|\n\|---\|---\|\n)(?:\|.*\|\n)*/;

test("the figures of docs/testing.md are those of the tree", async () => {
  const found = await figures();
  // The run prints them, so that its log has what the page says.
  for (const [what, number] of found) console.log(`${number.toLocaleString("en").padStart(7)} ${what}`);
  const rows = found.map(([what, number]) => `| ${what} | ${number.toLocaleString("en")} |\n`).join("");
  const page = await readFile(PAGE, "utf8");
  expect(page).toMatch(TABLE);
  await expect(page.replace(TABLE, rows)).toMatchFileSnapshot(PAGE);
});

test("every figure counts something", async () => {
  for (const [what, number] of await figures()) expect(number, what).toBeGreaterThan(0);
});
