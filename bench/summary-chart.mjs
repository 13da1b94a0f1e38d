/** One picture: how many times faster stowage is than the provider's own library, or Airflow for XComs. */
import { box, fixed, logScale, OURS, path, small, svg, THEIRS, WIDTH, words } from "./svg.mjs";

const LEFT = 210;
const VALUE = 100;
const ROW = 26;
const OURS_LIGHT = "#a8c7fa";
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
    head: `${server}, against ${against}`,
    rows: WORK.map(([what, name]) => ({ what, name: name(store), against })),
  })),
  {
    head: "XComs, against Airflow's backend",
    rows: ["1KiB-x200", "100KiB-x200", "10MiB", "200MiB"].map((size) => ({
      what: `store and load ${size.split("-")[0].replace(/(?=[KM])/, " ")} of JSON`,
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
  const scale = logScale(Math.min(0.5, ...ratios), Math.max(4, ...ratios), LEFT, WIDTH - LEFT - VALUE);
  const body = [];
  let y = 44;
  for (const { head, rows } of shown) {
    body.push(words(10, y + 12, head, 'font-weight="600"'));
    y += 20;
    for (const row of rows) {
      body.push(pair(row, y, scale));
      y += ROW;
    }
    y += 8;
  }
  const line = path(`M${fixed(scale(1))} 40V${y}`, THEIRS) + small(scale(1) + 4, y + 4, "as fast");
  const legend = `${foot}; logarithmic; dark: by the clock; light, in brackets: by processor time`;
  return svg(y + 36, "How many times as fast stowage is", [...body, line, small(10, y + 26, legend)]);
}

function compared(results, { what, name, against }) {
  const subjects = results.find((one) => one.name === name)?.subjects;
  const [ours, theirs] = [subjects?.stowage, subjects?.[against]];
  if (!ours?.wall || !theirs?.wall) return [];
  const ratio = (kind) => ours[kind].median / theirs[kind].median;
  return [{ what, wall: ratio("wall"), cpu: ratio("cpu") }];
}

/** Two bars that start where both are as fast: to the right stowage is ahead, to the left behind. */
function pair({ what, wall, cpu }, y, scale) {
  const bar = (value, top, height, color) => {
    const [from, to] = [scale(1), scale(value)];
    return box(Math.min(from, to), top, Math.abs(to - from), height, color);
  };
  const end = Math.max(scale(wall), scale(cpu), scale(1));
  return [
    words(24, y + 13, what),
    bar(wall, y + 1, 10, wall >= 1 ? OURS : "#57606a"),
    bar(cpu, y + 12, 7, OURS_LIGHT),
    small(end + 6, y + 13, `${wall.toFixed(1)} x  (${cpu.toFixed(1)} x)`),
  ].join("");
}
