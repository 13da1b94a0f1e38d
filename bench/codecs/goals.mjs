/** What the codecs are to reach: the figure of one subject over that of another, on JSON. */
const GOALS = [
  ["gzip", "encode", "wall", "stowage", "node:zlib", 1.8],
  ["zip", "encode", "wall", "stowage", "node:zlib (raw deflate)", 1.8],
  ["gzip", "decode", "wall", "stowage", "node:zlib", 0.95],
  ["zstd", "encode", "wall", "stowage", "node:zlib", 0.95],
  ["zstd", "decode", "wall", "stowage", "node:zlib", 0.95],
  ["lz4", "encode", "cpu", "stowage", "lz4js", 1.2],
  ["lz4", "decode", "cpu", "stowage", "lz4js", 1.2],
  ["snappy", "encode", "cpu", "stowage (blocks)", "snappyjs (blocks)", 0.9],
  ["snappy", "decode", "cpu", "stowage (blocks)", "snappyjs (blocks)", 0.9],
  ["bz2", "decode", "cpu", "stowage", "unbzip2-stream", 1.5],
  ["bz2", "encode", "cpu", "stowage", "bzip2", 0.4],
];

/** One line for each goal whose subjects were measured. */
export function goalLines(results) {
  const speed = (codec, direction, key, subject) => {
    const found = results.find((r) => r.codec === codec && r.direction === direction && r.content === "json");
    const figures = found?.subjects[subject];
    return figures && !figures.cannot ? found.size / figures[key] : undefined;
  };
  const lines = GOALS.map(([codec, direction, key, subject, other, goal]) => {
    const [a, b] = [speed(codec, direction, key, subject), speed(codec, direction, key, other)];
    return a && b && line(`${codec} ${direction}, ${subject} / ${other}, ${key}`, a / b, goal);
  });
  const [unzip, gunzip] = [speed("zip", "decode", "wall", "stowage"), speed("gzip", "decode", "wall", "stowage")];
  if (unzip && gunzip) lines.push(line("zip decode / gzip decode, stowage, wall", unzip / gunzip, 0.95));
  return lines.filter(Boolean);
}

function line(what, ratio, goal) {
  return `${ratio >= goal ? "reached" : "MISSED "}  ${ratio.toFixed(2)} of ${goal}  ${what}`;
}
