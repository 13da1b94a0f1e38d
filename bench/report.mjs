/** Results as text. */
import { bytes } from "./scenarios.mjs";

const MIB = 2 ** 20;
const count = (value) => (value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toFixed(1));

/** One scenario: a row per subject. RSS growth is what the rounds added to the process at rest. */
export function table({ name, subjects, warmUp }) {
  const rows = Object.entries(subjects).map(([subject, it]) => row(subject, it));
  const head = ["", "median", "min", "max", "per CPU-s", "RSS peak", "RSS growth"];
  const unit = Object.values(subjects).find((it) => it.unit)?.unit ?? "";
  return [`${name}, ${unit}, ${roundsIn(subjects, warmUp)}`, aligned([head, ...rows])].join("\n");
}

function roundsIn(subjects, warmUp = true) {
  const most = Math.max(0, ...Object.values(subjects).map((it) => it.rounds ?? 0));
  return `${most} ${most === 1 ? "round" : "rounds"}${warmUp ? "" : ", none to warm up"}`;
}

function row(subject, it) {
  if (it.cannot) return [subject, "-", "", "", "", "", "", it.cannot];
  const { wall, cpu, peak, grown } = it;
  const rates = [wall.median, wall.min, wall.max, cpu.median].map(count);
  return [subject, ...rates, `${Math.round(peak / MIB)} MiB`, `${Math.round(grown / MIB)} MiB`];
}

/** What was to be reached, whether it was, and how near it is to the probe, which nothing in Node can pass. */
export function goalTable(goals) {
  const rows = goals.map(({ what, against, limit, value, ofProbe, reached }) => [
    what,
    against,
    limit,
    value,
    ofProbe === undefined ? "" : `${ofProbe.toFixed(2)} x`,
    reached === undefined ? "not measured" : reached ? "reached" : "NOT REACHED",
  ]);
  return ["To reach", aligned([["", "against", "goal", "measured", "of the probe", ""], ...rows])].join("\n");
}

export function aligned(rows) {
  const widths = rows[0].map((_, at) => Math.max(...rows.map((cells) => (cells[at] ?? "").length)));
  const cell = (text, at) => (at === 0 ? text.padEnd(widths[0]) : text.padStart(widths[at] ?? 0));
  return rows.map((cells) => `  ${cells.map(cell).join("  ")}`.trimEnd()).join("\n");
}

export { bytes };

/**
 * Prints how many subjects ran in how many scenarios, as the tests do, and returns the exit code. Where stowage did not
 * run is a failure; where another subject broke down is told, since nobody here can mend it.
 */
export function tally(results) {
  const cells = results.flatMap(({ name, subjects }) =>
    Object.entries(subjects).map(([subject, { cannot }]) => ({ name, subject, cannot })),
  );
  const broken = cells.filter(({ cannot }) => cannot?.startsWith("failed"));
  const ours = cells.filter(({ subject, cannot }) => subject === "stowage" && cannot);
  const others = broken.filter(({ subject }) => subject !== "stowage");
  for (const { name, subject, cannot } of [...ours, ...others])
    console.log(`${subject === "stowage" ? "FAILED" : "SKIPPED"}: ${subject} in ${name}: ${cannot}`);
  const passed = cells.filter(({ cannot }) => !cannot).length;
  const skipped = others.length > 0 ? `, ${others.length} skipped` : "";
  console.log(`${passed} passed, ${ours.length} failed${skipped}`);
  return ours.length > 0 ? 1 : 0;
}
