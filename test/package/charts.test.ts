/** The charts in bench/charts show the results in bench/results, on light and on dark pages. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { roundValues } from "../../bench/svg.mjs";
import { ROOT, run } from "../support/installed.js";

const CHARTS = join(ROOT, "bench/charts");
let drawn: string;

beforeAll(async () => {
  drawn = await mkdtemp(join(tmpdir(), "stowage-charts-"));
  await run(process.execPath, [join(ROOT, "bench/charts.mjs"), drawn]);
});
afterAll(() => rm(drawn, { recursive: true, force: true }));

test("every chart can be drawn from the results, and there is no other", async () => {
  expect(await readdir(drawn)).toEqual(await readdir(CHARTS));
});

describe.each(await readdir(CHARTS))("%s", (name) => {
  const chart = () => readFile(join(drawn, name), "utf8");

  test("is what the results give: node bench/charts.mjs", async () => {
    expect(await readFile(join(CHARTS, name), "utf8")).toBe(await chart());
  });
  test("has its colours in classes, for light and for dark pages", async () => {
    const [, style = "", body = ""] = /<style>([\s\S]*)<\/style>([\s\S]*)/.exec(await chart()) ?? [];
    expect(body).not.toMatch(/#[\da-f]{3,6}\b/i);
    const [light = "", dark = ""] = style.split("@media (prefers-color-scheme: dark)");
    const classes = new Set([...body.matchAll(/class="([^"]+)"/g)].flatMap(([, names = ""]) => names.split(" ")));
    for (const one of classes) {
      expect(light).toContain(`.${one} `);
      expect(dark).toContain(`.${one} `);
    }
  });
  test("has an axis, and nothing beyond its edges", async () => {
    const text = await chart();
    expect(text).toContain('class="grid"');
    const [, width = 0, height = 0] = (/viewBox="0 0 (\d+) (\d+)"/.exec(text) ?? []).map(Number);
    for (const [, x = "", y = ""] of text.matchAll(/<text x="([\d.-]+)" y="([\d.-]+)"/g)) {
      expect(Number(x)).toBeLessThan(width - 20);
      expect(Number(y)).toBeLessThan(height);
    }
  });
});

test.each([
  [8.2, [0, 2, 4, 6, 8]],
  [105, [0, 25, 50, 75, 100]],
  [279, [0, 100, 200]],
  [4010, [0, 1000, 2000, 3000, 4000]],
])("the axis up to %s has the values %j", (most, values) => {
  expect(roundValues(most)).toEqual(values);
});
