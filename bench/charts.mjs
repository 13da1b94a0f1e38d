/** The charts of a day's results. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { growthChart } from "./growth-chart.mjs";
import { lineChart } from "./line-chart.mjs";
import { summaryChart } from "./summary-chart.mjs";
import { box, fixed, INK, LIMIT, OURS, path, small, svg, THEIRS, WIDTH, words } from "./svg.mjs";

const LABEL = 130;
const VALUE = 90;
const ROW = 24;

/** One scenario each, or several one below the other. */
const bars = [
  ["small-get", "Read 1 KiB, 64 at once, MinIO, objects per second", { "": "small-minio-get-1KiB-x2000-at64" }],
  ["small-put", "Write 1 KiB, 64 at once, MinIO, objects per second", { "": "small-minio-put-1KiB-x2000-at64" }],
  ["stream-read", "Read a stream of 256 MiB, MinIO, MiB per second", { "": "basic-minio-read-256MiB" }],
  ["stream-write", "Write a stream of 256 MiB, MinIO, MiB per second", { "": "basic-minio-write-256MiB" }],
  ["into-memory", "Read 256 MiB into memory, MinIO, MiB per second", { "": "large-minio-bytes-256MiB" }],
  [
    "xcom",
    "Store and load an XCom of JSON, MinIO, MiB per second",
    {
      "10 MiB": "xcom-minio-xcom-10MiB",
      "200 MiB": "xcom-minio-xcom-200MiB",
      "200 MiB, gzip": "xcom-minio-xcom-200MiB-gzip",
    },
  ],
  ...["gcs", "azure"].flatMap((store) => {
    const server = { gcs: "fake-gcs-server", azure: "Azurite" }[store];
    const object = (step) => `small-${store}-${step}-1KiB-x2000-at64`;
    const stream = (step) => `large-${store}-${step}-64MiB`;
    return [
      [
        `${store}-small`,
        `Objects of 1 KiB, 64 at once, ${server}, objects per second`,
        { Read: object("get"), Write: object("put") },
      ],
      [
        `${store}-stream`,
        `Streams of 64 MiB, ${server}, MiB per second`,
        { Read: stream("read"), Write: stream("write") },
      ],
    ];
  }),
];

/** @param {{ results: object[], node: string, date: string }} day */
export async function writeCharts({ results, node, date }, folder) {
  await mkdir(folder, { recursive: true });
  const foot = `${date.slice(0, 10)}, Node ${node.slice(1)}, medians`;
  const charts = {
    ...Object.fromEntries(bars.map(([file, title, parts]) => [file, barChart(results, title, parts, foot)])),
    growth: growthChart(results, foot),
    line: lineChart(results, foot),
    summary: summaryChart(results, foot),
  };
  for (const [file, text] of Object.entries(charts)) {
    if (text) await writeFile(join(folder, `${file}.svg`), text);
  }
}

function barChart(results, title, parts, foot) {
  const found = Object.entries(parts)
    .map(([head, name]) => ({ head, rows: rowsOf(results.find((one) => one.name === name)) }))
    .filter(({ rows }) => rows.length > 0);
  if (found.length === 0) return undefined;
  const body = [];
  let y = 40;
  for (const { head, rows } of found) {
    if (head) body.push(words(LABEL, y + 12, head, 'font-weight="600"'));
    y += head ? 20 : 0;
    body.push(...rowsFrom(y, rows));
    y += rows.length * ROW + 8;
  }
  return svg(y + 20, title, [...body, small(10, y + 10, `${foot}; the thin line spans all rounds`)]);
}

function rowsOf(result) {
  const measured = Object.entries(result?.subjects ?? {}).filter(([, it]) => it.wall);
  return measured.map(([name, { wall }]) => ({ name, ...wall }));
}

function rowsFrom(y, rows) {
  const most = Math.max(...rows.map(({ max }) => max));
  const scale = (value) => (value / most) * (WIDTH - LABEL - VALUE);
  return rows.map((row, i) => bar(row, y + i * ROW, scale));
}

function bar({ name, median, min, max }, y, scale) {
  const color = name === "stowage" ? OURS : name === "probe" ? LIMIT : THEIRS;
  const middle = y + ROW / 2 - 3;
  const value = median >= 100 ? Math.round(median).toLocaleString("en-US") : median.toFixed(1);
  return [
    words(LABEL - 8, middle + 4, name === "probe" ? "bare node:http" : name, 'text-anchor="end"'),
    box(LABEL, y, scale(median), ROW - 6, color),
    path(`M${fixed(LABEL + scale(min))} ${middle}H${fixed(LABEL + scale(max))}`, INK),
    words(LABEL + Math.max(scale(max), scale(median)) + 8, middle + 4, value),
  ].join("");
}
