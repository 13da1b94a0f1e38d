/** Rates as bars: stowage first, the others by their rate, and the limit probe last. */
import { axisBelow, bar, count, EDGE, fixed, nameOf, path, roundValues, svg, WIDTH, words } from "./svg.mjs";

const LEFT = 130;
const VALUE = 70;
const ROW = 22;

/**
 * Returns a chart with a panel for each part; undefined if nothing of it was measured.
 * @param {object[]} results
 * @param {{ title: string, parts: Record<string, string>, subjects?: string[], about?: string }} chart `parts` has the
 *   heading of each panel ("" if there is but one) and its scenario; `subjects` are those that are shown, all by default,
 *   `about` says more of how it was measured
 * @param {string} foot when and with what it was measured
 */
export function barChart(results, { title, parts, subjects, about }, foot) {
  const found = Object.entries(parts)
    .map(([head, name]) => ({
      head,
      rows: rowsOf(
        results.find((one) => one.name === name),
        subjects,
      ),
    }))
    .filter(({ rows }) => rows.length > 0);
  if (found.length === 0) return undefined;
  // One scale for all panels: their units are the same.
  const most = Math.max(...found.flatMap(({ rows }) => rows.map(({ max }) => max)));
  const scale = (value) => LEFT + (value / most) * (WIDTH - LEFT - VALUE);
  const values = roundValues(most);
  const body = [];
  let y = 40;
  for (const { head, rows } of found) {
    if (head) body.push(words(EDGE, y + 13, head, 'font-weight="600"'));
    y += head ? 22 : 0;
    body.push(...panel(rows, y, values, scale));
    y += rows.length * ROW + 30;
  }
  const spread = "bars are medians, thin lines reach from the slowest to the fastest round";
  return svg({ height: y, title, foot: [`${foot}; ${spread}`, ...(about ? [about] : [])], body });
}

function rowsOf(result, subjects) {
  const measured = Object.entries(result?.subjects ?? {}).filter(
    ([name, { wall }]) => wall && (!subjects || subjects.includes(name)),
  );
  const rows = measured.map(([name, { wall }]) => ({ name, ...wall }));
  return rows.toSorted((a, b) => place(a) - place(b) || b.median - a.median);
}

const place = ({ name }) => (name === "stowage" ? 0 : name === "probe" ? 2 : 1);

function panel(rows, top, values, scale) {
  const bottom = top + rows.length * ROW;
  const axis = axisBelow({ values, scale, top, bottom, label: count });
  return [...axis, ...rows.flatMap((row, i) => rowOf(row, top + i * ROW, scale))];
}

function rowOf({ name, median, min, max }, y, scale) {
  const kind = name === "stowage" ? "ours" : name === "probe" ? "limit" : "theirs";
  const bold = kind === "ours" ? 'font-weight="600"' : "";
  return [
    words(LEFT - 10, y + 15, nameOf(name), `text-anchor="end" ${bold}`),
    bar(LEFT, y + 3, scale(median) - LEFT, 15, kind),
    path(`M${fixed(scale(min))} ${y + 10.5}H${fixed(scale(max))}`, "spread"),
    words(scale(Math.max(median, max)) + 8, y + 15, count(median), bold),
  ];
}
