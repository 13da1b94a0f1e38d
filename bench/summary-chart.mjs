/** One picture: how many times as fast as the provider's own library stowage is, or as Airflow's backend for XComs. */
import { axisBelow, bar, EDGE, logScale, nameOf, svg, WIDTH, words } from "./svg.mjs";

const LEFT = 210;
const GAP = 24;
const VALUE = 48;
const ROW = 20;
const PLOT = (WIDTH - LEFT - GAP - EDGE) / 2;
const PANELS = [
  ["by the clock", "wall", LEFT],
  ["by processor time", "cpu", LEFT + PLOT + GAP],
];
const CLOUDS = [
  ["MinIO", "minio", "aws-sdk"],
  ["fake-gcs-server", "gcs", "google-sdk"],
  ["Azurite", "azure", "azure-sdk"],
];
const WORK = [
  ["read 1 KiB, 64 at once", (store) => `small-${store}-get-1KiB-x2000-at64`],
  ["write 1 KiB, 64 at once", (store) => `small-${store}-put-1KiB-x2000-at64`],
  ["read a stream of 64 MiB", (store) => `large-${store}-read-64MiB`],
  ["write a stream of 64 MiB", (store) => `large-${store}-write-64MiB`],
  ["256 MiB into memory", (store) => `large-${store}-bytes-256MiB`],
];
const COMPARED = [
  ...CLOUDS.map(([server, store, against]) => ({
    head: `${nameOf(against)}, ${server}`,
    rows: WORK.map(([what, name]) => ({ what, name: name(store), against })),
  })),
  {
    head: "Airflow's XCom backend, MinIO",
    rows: ["1KiB-x200", "100KiB-x200", "10MiB", "200MiB"].map((size) => ({
      what: `store and load ${size.split("-")[0].replace(/(?=[KM])/, " ")}`,
      name: `xcom-minio-xcom-${size}`,
      against: "airflow",
    })),
  },
];

export function summaryChart(results, foot) {
  const parts = COMPARED.map(({ head, rows }) => ({ head, rows: rows.flatMap((row) => compared(results, row)) }));
  const shown = parts.filter(({ rows }) => rows.length > 0);
  const ratios = shown.flatMap(({ rows }) => rows.flatMap(({ wall, cpu }) => [wall, cpu]));
  if (ratios.length === 0) return undefined;
  const [low, high] = [Math.min(1, ...ratios), Math.max(4, ...ratios)];
  const scaleFrom = (from) => logScale(low, high, from, PLOT - VALUE);
  const top = 62;
  const body = [];
  let y = top;
  for (const { head, rows } of shown) {
    body.push(words(EDGE, y + 14, head, 'font-weight="600"'));
    y += 22;
    for (const row of rows) {
      body.push(words(EDGE + 12, y + 14, row.what));
      for (const [, kind, from] of PANELS) body.push(...ratio(row[kind], y, scaleFrom(from)));
      y += ROW;
    }
    y += 10;
  }
  const values = [0.25, 0.5, 1, 2, 4, 8, 16].filter((value) => value >= low && value <= high);
  const panels = PANELS.flatMap(([head, , from]) => [
    words(from, 50, head, 'font-weight="600"'),
    ...axisBelow({ values, scale: scaleFrom(from), top, bottom: y, label: (value) => `${value}×` }),
  ]);
  const title = "stowage beside each provider's own library: 1× is as fast, 2× twice as fast";
  return svg({ height: y + 24, title, foot: [`${foot}, medians; logarithmic axes`], body: [...panels, ...body] });
}

function compared(results, { what, name, against }) {
  const subjects = results.find((one) => one.name === name)?.subjects;
  const [ours, theirs] = [subjects?.stowage, subjects?.[against]];
  if (!ours?.wall || !theirs?.wall) return [];
  const times = (kind) => ours[kind].median / theirs[kind].median;
  return [{ what, wall: times("wall"), cpu: times("cpu") }];
}

/** A bar that starts where both are as fast: to the right stowage is ahead, to the left behind. */
function ratio(value, y, scale) {
  const [from, to] = [scale(1), scale(value)];
  return [
    bar(Math.min(from, to), y + 3, Math.max(1.5, Math.abs(to - from)), 13, value >= 1 ? "ours" : "theirs"),
    words(Math.max(from, to) + 6, y + 14, `${value.toFixed(1)}×`),
  ];
}
