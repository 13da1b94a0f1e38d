/** What stowage is to reach on MinIO, near and at the end of a cloud's line, and in memory and start-up, by the medians of the same run. */
const MIB = 2 ** 20;

const ratios = [
  ["small get, 64 at once, wall", "aws-sdk", "small-minio-get-1KiB-x2000-at64", "wall", 5],
  ["small get, per CPU-second", "opendal", "small-minio-get-1KiB-x2000-at64", "cpu", 0.8],
  ["small put, per CPU-second", "aws-sdk", "small-minio-put-1KiB-x2000-at64", "cpu", 5],
  ["stream get 256 MiB, wall", "aws-sdk", "basic-minio-read-256MiB", "wall", 1.3],
  ["stream put 256 MiB, wall", "aws-sdk", "basic-minio-write-256MiB", "wall", 1.3],
  ["stream put 256 MiB, per CPU-second", "aws-sdk", "basic-minio-write-256MiB", "cpu", 2],
  ["256 MiB into memory, wall", "aws-sdk", "large-minio-bytes-256MiB", "wall", 1.6],
  ["line: stream get 256 MiB, wall", "aws-sdk", "line-minio-read-256MiB", "wall", 4],
  ["line: 256 MiB into memory, wall", "aws-sdk", "line-minio-bytes-256MiB", "wall", 4],
  ["line: stream put 256 MiB, wall", "aws-sdk", "line-minio-write-256MiB", "wall", 3],
  ["line: stream put 256 MiB, wall", "obstore", "line-minio-write-256MiB", "wall", 1.3],
  ["line: stream get 256 MiB, wall", "awscrt", "line-minio-read-256MiB", "wall", 1],
  ["line: stream get 256 MiB, per CPU-second", "awscrt", "line-minio-read-256MiB", "cpu", 1.5],
  ["line: stream put 256 MiB, wall", "awscrt", "line-minio-write-256MiB", "wall", 1],
  ["line: stream put 256 MiB, per CPU-second", "awscrt", "line-minio-write-256MiB", "cpu", 1.5],
  ["line: 10 MiB JSON XCom, wall", "aws-sdk", "line-minio-xcom-10MiB", "wall", 3],
  ["line: 10 MiB JSON XCom, wall", "airflow", "line-minio-xcom-10MiB", "wall", 6],
  ["line: 200 MiB JSON XCom, wall", "aws-sdk", "line-minio-xcom-200MiB", "wall", 3],
  ["line: 200 MiB JSON XCom, wall", "airflow", "line-minio-xcom-200MiB", "wall", 6],
  ["line: list of 10,000 keys, wall", "aws-sdk", "line-minio-list-1B-x10000", "wall", 4],
  ["200 MiB JSON XCom, store and load", "airflow", "xcom-minio-xcom-200MiB", "wall", 2],
];

export function goals({ results, startUp, paths }) {
  const of = (name, subject) => results.find((one) => one.name === name)?.subjects[subject];
  const growth = (what, name, most) => atMost(what, "RSS growth", of(name, "stowage")?.grown, most * MIB, "MiB", MIB);
  return [
    ...ratios.map(([what, against, name, kind, least]) =>
      speed(what, against, least, (subject) => of(name, subject)?.[kind]?.median),
    ),
    growth("256 MiB into memory", "large-minio-bytes-256MiB", 256 + 64),
    growth("1 GiB written as a stream, S3", "bounded-minio-write-1GiB", 96),
    growth("1 GiB read as a stream, S3", "bounded-minio-read-1GiB", 96),
    growth("1 GiB written as a stream, file", "bounded-file-write-1GiB", 96),
    growth("1 GiB read as a stream, file", "bounded-file-read-1GiB", 96),
    ratio("path parse", "URL", paths?.ratio, paths && 1, 1),
    atMost('import "stowage"', "an empty module", startUp?.importMs, 20, "ms"),
    atMost("one-file bundle with S3 and static keys", "minified", startUp?.bundleBytes, 60_000, "KB", 1000),
    atMost("start-up of the bundle with one small get", "bare Node", startUp?.getMs, 40, "ms"),
    atMost("process alive after its last line", "", startUp?.lingerMs, 100, "ms"),
  ];
}

/** With the share of the limit probe, where it was measured in the same scenario. */
function speed(what, against, least, of) {
  const found = ratio(what, against, of("stowage"), of(against), least);
  const limit = of("probe");
  return limit && of("stowage") ? { ...found, ofProbe: of("stowage") / limit } : found;
}

function ratio(what, against, ours, theirs, least) {
  if (ours === undefined || theirs === undefined) return { what, against, limit: `>= ${least} x`, value: "" };
  const value = ours / theirs;
  return {
    what,
    against,
    limit: `>= ${least} x`,
    value: `${value.toFixed(2)} x`,
    ratio: value,
    reached: value >= least,
  };
}

function atMost(what, against, value, most, unit, scale = 1) {
  const limit = `<= ${most / scale} ${unit}`;
  if (value === undefined) return { what, against, limit, value: "" };
  return { what, against, limit, value: `${(value / scale).toFixed(1)} ${unit}`, reached: value <= most };
}
