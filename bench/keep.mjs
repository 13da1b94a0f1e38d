/** The results of a day in one file: what is measured again replaces what was there. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeCharts } from "./charts.mjs";
import { goals } from "./goals.mjs";

/** Adds a run to the results of its day in `into`, draws the charts, and returns all of the day with the goals. */
export async function kept(report, into) {
  const folder = join(into, "results");
  const path = join(folder, `${report.date.slice(0, 10)}.json`);
  const day = merged(await known(path), report);
  day.goals = goals(day);
  await mkdir(folder, { recursive: true });
  await writeFile(path, `${JSON.stringify(day, null, 1)}\n`);
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

function merged(old, report) {
  const given = Object.fromEntries(Object.entries(report).filter(([, part]) => part !== undefined));
  const again = new Set(report.results.map(({ name }) => name));
  return { ...old, ...given, results: [...old.results.filter(({ name }) => !again.has(name)), ...report.results] };
}
