/** The first picture: what users of a cloud wait for, with TLS. Readable on a dark and on a light page. */
import { bytes } from "./scenarios.mjs";
import { escaped, fixed, WIDTH } from "./svg.mjs";

const LEFT = 130;
const VALUE = 90;
const ROW = 21;
const STEPS = [
  ["Read a stream", "read"],
  ["Read into memory", "bytes"],
  ["Write a stream", "write"],
];
const SUBJECTS = { stowage: "stowage", "aws-sdk": "AWS SDK", opendal: "OpenDAL", obstore: "obstore" };

const STYLE = `
.page { fill: #fff } text { fill: #24292f } .quiet { fill: #57606a } .ours { fill: #1f6feb } .theirs { fill: #9aa4b2 }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117 } text { fill: #e6edf3 } .quiet { fill: #9198a1 } .ours { fill: #4493f8 } .theirs { fill: #59636e }
}`;

/** MiB per second of each subject on the line; undefined if the results have none. */
export function lineChart(results, foot) {
  const parts = STEPS.flatMap(([head, step]) => {
    const found = results.find(({ name }) => name.startsWith(`line-minio-tls-${step}-`) && name.endsWith("MiB"));
    return found ? [{ head, found, rows: rowsOf(found) }] : [];
  });
  if (parts.length === 0) return undefined;
  const most = Math.max(...parts.flatMap(({ rows }) => rows.map(({ value }) => value)));
  const width = (value) => (value / most) * (WIDTH - LEFT - VALUE);
  const body = [];
  let y = 40;
  for (const { head, rows } of parts) {
    body.push(text(16, y + 14, head, 'font-weight="600"'));
    y += 22;
    for (const { subject, label, value } of rows) {
      const own = subject === "stowage" ? "ours" : "theirs";
      const bold = subject === "stowage" ? 'font-weight="600"' : "";
      body.push(text(LEFT - 10, y + 13, label, `text-anchor="end" ${bold}`));
      body.push(`<rect x="${LEFT}" y="${y + 2}" width="${fixed(width(value))}" height="15" rx="2" class="${own}"/>`);
      body.push(text(LEFT + width(value) + 8, y + 14, value.toFixed(0), bold));
      y += ROW;
    }
    y += 12;
  }
  const title = `${bytes(parts[0].found.size).replace("MiB", " MiB")} over TLS, MiB per second`;
  const about = `a line of 30 ms and 80 MiB/s for each connection, as to a bucket of the region; defaults; ${foot}`;
  return page(y + 26, title, [...body, text(16, y + 12, about, 'font-size="11" class="quiet"')]);
}

function rowsOf({ subjects }) {
  return Object.entries(SUBJECTS).flatMap(([subject, label]) => {
    const value = subjects[subject]?.wall?.median;
    return value === undefined ? [] : [{ subject, label, value }];
  });
}

function text(x, y, words, more) {
  return `<text x="${fixed(x)}" y="${fixed(y)}" ${more}>${escaped(words)}</text>`;
}

function page(height, title, body) {
  const size = `width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"`;
  const head = text(16, 26, title, 'font-size="15" font-weight="600"');
  const back = `<rect width="${WIDTH}" height="${height}" rx="6" class="page"/>`;
  const parts = [`<title>${escaped(title)}</title>`, `<style>${STYLE}</style>`, back, head, ...body];
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="system-ui, sans-serif" font-size="13" role="img">\n${parts.join("\n")}\n</svg>\n`;
}
