/**
 * Cost against size on log scales, a panel each for writes and reads. Small objects cost what a request costs, so that the
 * cost of a byte falls with the size until bytes outweigh it; from there it is to be flat, and so is memory.
 */
import { bytes } from "./scenarios.mjs";
import { EDGE, fixed, logScale, nameOf, path, small, svg, WIDTH, words } from "./svg.mjs";

const LEFT = 64;
const NAME = 70;
const GAP = 16;
const PLOT = (WIDTH - 2 * LEFT - 2 * NAME - GAP) / 2 - 4;
const MIB = 2 ** 20;
/** Those that measure every size, and differ: the rest is in the tables. */
const LINES = [
  ["stowage", "ours"],
  ["aws-sdk", "first"],
  ["opendal", "second"],
];
const COLUMNS = [
  ["Write", "write", LEFT],
  ["Read", "read", LEFT + PLOT + NAME + GAP + LEFT],
];
const ROWS = [
  { title: "processor time per byte", top: 66, height: 150, of: costOf, unit: "ns" },
  {
    title: "peak of resident memory",
    top: 286,
    height: 110,
    of: ({ subjects }, name) => subjects[name].peak / MIB,
    unit: "MiB",
  },
];

export function growthChart(results, foot) {
  const found = results
    .filter(({ group, store }) => group === "growth" && store === "line-minio")
    .toSorted((a, b) => a.size - b.size);
  const sizes = [...new Set(found.map(({ size }) => size))];
  if (sizes.length < 2) return undefined;
  const body = ROWS.flatMap((row) => {
    const drawn = COLUMNS.map(([head, step, left]) => ({ head, left, lines: linesOf(found, step, row.of) }));
    // Both panels of a row have the same scale, so that writes and reads can be compared.
    const all = drawn.flatMap(({ lines }) => lines.flatMap(({ values }) => values.map(([, value]) => value)));
    const range = [Math.min(...all) / 1.3, Math.max(...all) * 1.3];
    return drawn.flatMap((column) => plotted(column, row, range, sizes));
  });
  const last = ROWS.at(-1);
  const title = "What a byte and its stream cost, from 1 KiB to 4 GiB (less is better)";
  return svg({
    height: last.top + last.height + 28,
    title,
    foot: [`${foot}, MinIO over a cloud's line, medians; logarithmic axes`],
    body,
  });
}

/** Nanoseconds of processor time for a byte. */
function costOf({ size, subjects }, name) {
  const { unit, cpu } = subjects[name];
  return 1e9 / (unit === "MiB/s" ? cpu.median * MIB : cpu.median * size);
}

function linesOf(results, step, of) {
  return LINES.map(([name, kind]) => {
    const measured = results.filter((one) => one.step === step && one.subjects[name]?.cpu);
    return { name, kind, values: measured.map((one) => [one.size, of(one, name)]) };
  }).filter(({ values }) => values.length > 1);
}

function plotted({ head, left, lines }, { title, top, height, unit }, [low, high], sizes) {
  const x = logScale(sizes[0], sizes.at(-1), left, PLOT);
  const y = logScale(low, high, top + height, -height);
  const names = spread(lines.map(({ name, kind, values }) => ({ name, kind, y: y(values.at(-1)[1]) })));
  return [
    words(left - LEFT + EDGE, top - 14, `${head}: ${title}`, 'font-weight="600"'),
    ...levels(low, high, y, unit, left),
    ...[2 ** 10, MIB, 2 ** 30].map((size) =>
      small(x(size), top + height + 16, bytes(size).replace(/(?=[KMG])/, " "), 'text-anchor="middle"'),
    ),
    ...lines.map(({ kind, values }) => path(shapeOf(values, x, y), `line ${kind}`)),
    ...names.map(({ name, kind, at }) =>
      words(left + PLOT + 8, at + 4, nameOf(name), `font-size="12" class="${kind}"`),
    ),
  ];
}

const shapeOf = (values, x, y) =>
  values.map(([size, value], i) => `${i ? "L" : "M"}${fixed(x(size))} ${fixed(y(value))}`).join("");

function levels(low, high, y, unit, left) {
  const steps = high / low > 20 ? [1] : [1, 2, 5];
  const values = [-2, -1, 0, 1, 2, 3, 4, 5].flatMap((power) => steps.map((step) => step * 10 ** power));
  const shown = values.filter((value) => value >= low && value <= high);
  return shown.flatMap((value) => [
    path(`M${fixed(left)} ${fixed(y(value))}h${fixed(PLOT)}`, "grid"),
    small(left - 6, y(value) + 4, `${value.toLocaleString("en-US")} ${unit}`, 'text-anchor="end"'),
  ]);
}

/** Where names stand so that none lies on another. */
function spread(names) {
  let free = Number.NEGATIVE_INFINITY;
  return names
    .toSorted((a, b) => a.y - b.y)
    .map((one) => {
      const at = Math.max(one.y, free);
      free = at + 14;
      return { ...one, at };
    });
}
