/** Results as text. */
import { bytes } from "./scenarios.mjs";

const MIB = 2 ** 20;
const count = (value) => (value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toFixed(1));

/** One scenario: a row per subject. RSS growth is what the rounds added to the process at rest. */
export function table({ name, subjects }) {
  const rows = Object.entries(subjects).map(([subject, it]) => row(subject, it));
  const head = ["", "median", "min", "max", "per CPU-s", "RSS peak", "RSS growth"];
  const unit = Object.values(subjects).find((it) => it.unit)?.unit ?? "";
  return [`${name}, ${unit}`, aligned([head, ...rows])].join("\n");
}

function row(subject, it) {
  if (it.cannot) return [subject, "-", "", "", "", "", "", it.cannot];
  const { wall, cpu, peak, grown } = it;
  const rates = [wall.median, wall.min, wall.max, cpu.median].map(count);
  return [subject, ...rates, `${Math.round(peak / MIB)} MiB`, `${Math.round(grown / MIB)} MiB`];
}

/** What was to be reached, and whether it was. */
export function goalTable(goals) {
  const rows = goals.map(({ what, against, limit, value, reached }) => [
    what,
    against,
    limit,
    value,
    reached === undefined ? "not measured" : reached ? "reached" : "NOT REACHED",
  ]);
  return ["To reach", aligned([["", "against", "goal", "measured", ""], ...rows])].join("\n");
}

function aligned(rows) {
  const widths = rows[0].map((_, at) => Math.max(...rows.map((cells) => (cells[at] ?? "").length)));
  const cell = (text, at) => (at === 0 ? text.padEnd(widths[0]) : text.padStart(widths[at] ?? 0));
  return rows.map((cells) => `  ${cells.map(cell).join("  ")}`.trimEnd()).join("\n");
}

export { bytes };
