/**
 * Cost against size on log scales. Small objects cost what a request costs, so that the cost of a byte falls with the size
 * until bytes outweigh it; from there it is to be flat, and so is memory.
 */
import { bytes } from "./scenarios.mjs";
import { fixed, logScale, OURS, path, small, svg, THEIRS, words } from "./svg.mjs";

const LEFT = 86;
const PLOT = 530;
const GRID = "#e6eaef";
const MIB = 2 ** 20;
const PANELS = [
  { title: "Processor time per byte", top: 56, height: 220, of: costOf, unit: "ns" },
  {
    title: "Most resident memory",
    top: 320,
    height: 130,
    of: ({ subjects }, name) => subjects[name].peak / MIB,
    unit: "MiB",
  },
];
const LINES = [
  ["stowage", OURS],
  ["aws-sdk", "#57606a"],
  ["opendal", "#bf8700"],
  ["s3fs", THEIRS],
];

/** The scenarios of all groups that stream objects of one size to MinIO and back, without a codec. */
function points(results) {
  const streams = results.filter(
    ({ store, step, codec }) => store === "minio" && !codec && /^(write|read)$/.test(step),
  );
  const named = streams.filter(({ group, size }) => group !== "basic" || size > MIB);
  return named.toSorted((a, b) => a.size - b.size);
}

export function growthChart(results, foot) {
  const found = points(results).filter(
    ({ group }) => group === "growth" || results.some((one) => one.group === "growth"),
  );
  const sizes = [...new Set(found.map(({ size }) => size))];
  if (sizes.length < 2) return undefined;
  const x = logScale(sizes[0], sizes.at(-1), LEFT, PLOT);
  const panels = PANELS.map((panel) => plotted(panel, found, x));
  const last = PANELS.at(-1);
  const bottom = last.top + last.height;
  const ticks = sizes.map((size) =>
    small(x(size), bottom + 16, bytes(size).replace(/(?=[KMG])/, " "), 'text-anchor="middle"'),
  );
  const title = "Streams against their size, MinIO, both axes logarithmic";
  return svg(bottom + 48, title, [
    ...panels,
    ...ticks,
    small(10, bottom + 38, `${foot}; full lines write, dashed ones read`),
  ]);
}

/** Nanoseconds of processor time for a byte. */
function costOf({ size, subjects }, name) {
  const { unit, cpu } = subjects[name];
  return 1e9 / (unit === "MiB/s" ? cpu.median * MIB : cpu.median * size);
}

function plotted({ title, top, height, of, unit }, results, x) {
  const lines = LINES.flatMap(([name, color]) =>
    ["write", "read"].map((step) => ({ name, step, color, values: valuesOf(results, name, step, of) })),
  ).filter(({ values }) => values.length > 1);
  const all = lines.flatMap(({ values }) => values.map(([, value]) => value));
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const y = logScale(low / 1.3, high * 1.3, top + height, -height);
  const labels = spread(lines.map(({ name, step, values }) => ({ text: `${name} ${step}`, y: y(values.at(-1)[1]) })));
  return [
    words(10, top - 10, title, 'font-weight="600"'),
    ...grid(low / 1.3, high * 1.3, y, unit),
    ...lines.map((line) => curve(line, x, y)),
    ...lines.map(({ color }, i) => label(labels[i], color)),
  ].join("\n");
}

function valuesOf(results, name, step, of) {
  const measured = results.filter((one) => one.step === step && one.subjects[name]?.cpu);
  return measured.map((one) => [one.size, of(one, name)]);
}

function grid(low, high, y, unit) {
  const steps = high / low > 50 ? [1] : [1, 2, 5];
  const values = [-2, -1, 0, 1, 2, 3, 4, 5].flatMap((power) => steps.map((step) => step * 10 ** power));
  const shown = values.filter((value) => value >= low && value <= high);
  return shown.map((value) => {
    const text = `${value.toLocaleString("en-US")} ${unit}`;
    return path(`M${LEFT} ${fixed(y(value))}h${PLOT}`, GRID) + small(LEFT - 8, y(value) + 4, text, 'text-anchor="end"');
  });
}

function curve({ step, color, values }, x, y) {
  const shape = values.map(([size, value], i) => `${i ? "L" : "M"}${fixed(x(size))} ${fixed(y(value))}`).join("");
  return path(shape, color, `stroke-width="2"${step === "read" ? ' stroke-dasharray="5 3"' : ""}`);
}

/** A line's name at its height, in its colour, right of the plot. */
function label({ text, at }, color) {
  return words(LEFT + PLOT + 12, at + 4, text, `font-size="11" fill="${color}"`);
}

/** Where names stand so that none lies on another. */
function spread(labels) {
  const byHeight = labels.map((one, i) => ({ ...one, i })).toSorted((a, b) => a.y - b.y);
  let free = Number.NEGATIVE_INFINITY;
  for (const one of byHeight) {
    one.at = Math.max(one.y, free);
    free = one.at + 13;
  }
  return byHeight.toSorted((a, b) => a.i - b.i);
}
