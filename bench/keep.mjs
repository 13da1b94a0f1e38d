/** The results of a day in one file: what is measured again replaces what was there. */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeCharts } from "./charts.mjs";
import { goals } from "./goals.mjs";
import { scenarios } from "./scenarios.mjs";

/** Adds a run to the results of its day in `into`, draws the charts, and returns all of the day with the goals. */
export async function kept(report, into) {
  const folder = join(into, "results");
  const path = join(folder, `${report.date.slice(0, 10)}.json`);
  const day = merged(await known(path), report);
  day.goals = goals(day);
  await mkdir(folder, { recursive: true });
  // A run that is cut off here leaves the file as it was.
  await writeFile(`${path}.new`, `${JSON.stringify(day, null, 1)}\n`);
  await rename(`${path}.new`, path);
  await writeCharts(day, join(into, "charts"));
  return day;
}

async function known(path) {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return { results: [] };
    throw error;
  }
}

/** In the order of the scenarios; what is none any more is left out. */
function merged(old, report) {
  const given = Object.fromEntries(Object.entries(report).filter(([, part]) => part !== undefined));
  const found = new Map([...old.results, ...report.results].map((one) => [one.name, one]));
  const names = scenarios({ quick: false }).map(({ name }) => name);
  return { ...old, ...given, results: names.filter((name) => found.has(name)).map((name) => found.get(name)) };
}
