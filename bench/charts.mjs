/** Charts as SVG, written by hand: bars of medians with the span of all rounds, and lines on log scales. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bytes } from "./scenarios.mjs";

const WIDTH = 760;
const LABEL = 130;
const ROW = 24;
const OURS = "#1f6feb";
const THEIRS = "#9aa4b2";
const LIMIT = "#d0d7de";

const bars = [
  ["small-get", "Read 1 KiB, 64 at once, MinIO, objects per second", "small-minio-get-1KiB-x2000-at64"],
  ["small-put", "Write 1 KiB, 64 at once, MinIO, objects per second", "small-minio-put-1KiB-x2000-at64"],
  ["stream-read", "Read a stream of 256 MiB, MinIO, MiB per second", "basic-minio-read-256MiB"],
  ["stream-write", "Write a stream of 256 MiB, MinIO, MiB per second", "basic-minio-write-256MiB"],
  ["into-memory", "Read 256 MiB into memory, MinIO, MiB per second", "large-minio-bytes-256MiB"],
  ["xcom", "Store and load an XCom of 10 MiB of JSON, MinIO, MiB per second", "xcom-minio-xcom-10MiB"],
];

export async function writeCharts({ results, node, date }, folder) {
  await mkdir(folder, { recursive: true });
  const foot = `${date.slice(0, 10)}, Node ${node.slice(1)}, medians; the thin line spans all rounds`;
  for (const [file, title, name] of bars) {
    const found = results.find((one) => one.name === name);
    if (found) await writeFile(join(folder, `${file}.svg`), barChart(title, found.subjects, foot));
  }
  const growth = results.filter((one) => one.group === "growth");
  if (growth.length > 0) await writeFile(join(folder, "growth.svg"), growthChart(growth, foot));
}

function barChart(title, subjects, foot) {
  const rows = Object.entries(subjects).filter(([, it]) => it.wall);
  const most = Math.max(...rows.map(([, it]) => it.wall.max));
  const room = WIDTH - LABEL - 90;
  const height = 56 + rows.length * ROW + 20;
  const body = rows.map(([name, { wall }], i) => bar(name, wall, 40 + i * ROW, (value) => (value / most) * room));
  return svg(height, title, [...body, small(10, height - 8, foot)]);
}

function bar(name, { median, min, max }, y, scale) {
  const color = name === "stowage" ? OURS : name === "probe" ? LIMIT : THEIRS;
  const middle = y + ROW / 2 - 2;
  const value = median >= 100 ? Math.round(median).toLocaleString("en-US") : median.toFixed(1);
  return [
    `<text x="${LABEL - 8}" y="${middle + 4}" text-anchor="end">${name === "probe" ? "bare node:http" : name}</text>`,
    `<rect x="${LABEL}" y="${y}" width="${scale(median).toFixed(1)}" height="${ROW - 6}" fill="${color}"/>`,
    `<path d="M${(LABEL + scale(min)).toFixed(1)} ${middle}H${(LABEL + scale(max)).toFixed(1)}" stroke="#24292f"/>`,
    `<text x="${(LABEL + scale(max) + 8).toFixed(1)}" y="${middle + 4}">${value}</text>`,
  ].join("");
}

const PLOT = { left: 70, top: 40, width: 560, height: 260 };

/** Nanoseconds per byte against size, both on log scales: flat is linear cost. */
function growthChart(results, foot) {
  const series = ["stowage", "aws-sdk"].flatMap((subject) =>
    ["write", "read"].map((step) => line(results, subject, step)),
  );
  const points = series.flatMap(({ points }) => points);
  const x = logScale(
    points.map(([size]) => size),
    PLOT.left,
    PLOT.width,
  );
  const y = logScale(
    points.map(([, cost]) => cost),
    PLOT.top + PLOT.height,
    -PLOT.height,
  );
  const sizes = [...new Set(points.map(([size]) => size))];
  const ticks = sizes.map(
    (size) => `<text x="${x(size)}" y="${PLOT.top + PLOT.height + 18}" text-anchor="middle">${bytes(size)}</text>`,
  );
  const costs = [0.1, 1, 10, 100, 1000, 10_000, 100_000].filter(
    (cost) => y(cost) >= PLOT.top && y(cost) <= PLOT.top + PLOT.height,
  );
  const grid = costs.map(
    (cost) =>
      `<path d="M${PLOT.left} ${y(cost)}h${PLOT.width}" stroke="#d0d7de"/>${small(10, y(cost) + 4, `${cost} ns/B`)}`,
  );
  const lines = series.map((one) => curve(one, x, y));
  const height = PLOT.top + PLOT.height + 50;
  return svg(height, "CPU time per byte against size, MinIO", [
    ...grid,
    ...ticks,
    ...lines,
    small(10, height - 8, foot),
  ]);
}

function line(results, subject, step) {
  const points = results
    .filter((one) => one.step === step && one.subjects[subject]?.cpu)
    .map(({ size, subjects }) => {
      const { unit, cpu } = subjects[subject];
      const perSecond = unit === "MiB/s" ? cpu.median * 2 ** 20 : cpu.median * size;
      return [size, 1e9 / perSecond];
    });
  return { subject, step, points };
}

function curve({ subject, step, points }, x, y) {
  if (points.length === 0) return "";
  const path = points.map(([size, cost], i) => `${i ? "L" : "M"}${x(size).toFixed(1)} ${y(cost).toFixed(1)}`).join("");
  const [size, cost] = points.at(-1);
  const color = subject === "stowage" ? OURS : THEIRS;
  const dash = step === "read" ? ' stroke-dasharray="5 3"' : "";
  const label = `<text x="${x(size) + 6}" y="${y(cost) + 4}">${subject} ${step}</text>`;
  return `<path d="${path}" fill="none" stroke="${color}" stroke-width="2"${dash}/>${label}`;
}

function logScale(values, from, length) {
  const low = Math.log(Math.min(...values));
  const span = Math.log(Math.max(...values)) - low || 1;
  return (value) => from + ((Math.log(value) - low) / span) * length;
}

const small = (x, y, text) => `<text x="${x}" y="${y}" font-size="11" fill="#57606a">${text}</text>`;

function svg(height, title, body) {
  const size = `width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"`;
  const style = 'font-family="system-ui, sans-serif" font-size="13" fill="#24292f"';
  const back = `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`;
  const head = `<text x="10" y="22" font-size="15" font-weight="600">${title}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${style}>\n${[back, head, ...body].join("\n")}\n</svg>\n`;
}
