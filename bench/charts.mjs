/**
 * The charts of a day's results. `node bench/charts.mjs [folder]` draws those of all days anew, from bench/results into
 * bench/charts or another folder: a later day replaces what it has measured.
 */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { barChart } from "./bar-chart.mjs";
import { growthChart } from "./growth-chart.mjs";
import { summaryChart } from "./summary-chart.mjs";

const SMALL = "objects of 1 KiB per second, 64 at once";
const STREAM = "MiB per second";
const SERVERS = { gcs: "fake-gcs-server", azure: "Azurite" };

/** Titles say what is counted; more of it is better in all of them. */
const BARS = {
  line: {
    title: "256 MiB over TLS, MiB per second (more is better)",
    parts: {
      "Read a stream": "line-minio-tls-read-256MiB",
      "Read into memory": "line-minio-tls-bytes-256MiB",
      "Write a stream": "line-minio-tls-write-256MiB",
    },
    subjects: ["stowage", "aws-sdk", "awscrt", "opendal", "obstore"],
    about: "a line of 30 ms and 80 MiB/s for each connection, typical of a bucket in the same region",
  },
  "small-get": { title: `Read from MinIO: ${SMALL}`, parts: { "": "small-minio-get-1KiB-x2000-at64" } },
  "small-put": { title: `Write to MinIO: ${SMALL}`, parts: { "": "small-minio-put-1KiB-x2000-at64" } },
  "stream-read": { title: `Read a stream of 256 MiB from MinIO: ${STREAM}`, parts: { "": "basic-minio-read-256MiB" } },
  "stream-write": { title: `Write a stream of 256 MiB to MinIO: ${STREAM}`, parts: { "": "basic-minio-write-256MiB" } },
  "into-memory": { title: `Read 256 MiB from MinIO into memory: ${STREAM}`, parts: { "": "large-minio-bytes-256MiB" } },
  xcom: {
    title: `Store and load an XCom of JSON, MinIO: ${STREAM}`,
    parts: {
      "10 MiB": "xcom-minio-xcom-10MiB",
      "200 MiB": "xcom-minio-xcom-200MiB",
      "200 MiB, gzip": "xcom-minio-xcom-200MiB-gzip",
    },
  },
  ...Object.fromEntries(
    Object.entries(SERVERS).flatMap(([store, server]) => {
      const object = (step) => `small-${store}-${step}-1KiB-x2000-at64`;
      const stream = (step) => `large-${store}-${step}-64MiB`;
      return [
        [`${store}-small`, { title: `${server}: ${SMALL}`, parts: { Read: object("get"), Write: object("put") } }],
        [
          `${store}-stream`,
          { title: `${server}: streams of 64 MiB, ${STREAM}`, parts: { Read: stream("read"), Write: stream("write") } },
        ],
      ];
    }),
  ),
};

/** @param {{ results: object[], node: string, date: string }} day */
export async function writeCharts({ results, node, date }, folder) {
  await mkdir(folder, { recursive: true });
  const foot = `${date.slice(0, 10)}, Node ${node.slice(1)}`;
  const drawn = Object.entries(BARS).map(([file, chart]) => [file, barChart(results, chart, foot)]);
  const charts = {
    ...Object.fromEntries(drawn),
    growth: growthChart(results, foot),
    summary: summaryChart(results, foot),
  };
  for (const [file, text] of Object.entries(charts)) {
    if (text) await writeFile(join(folder, `${file}.svg`), text);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const here = import.meta.dirname;
  const into = process.argv[2] ?? join(here, "charts");
  for (const file of (await readdir(join(here, "results"))).sort()) {
    await writeCharts(JSON.parse(await readFile(join(here, "results", file), "utf8")), into);
  }
}
