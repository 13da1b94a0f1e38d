/** What all charts share: SVG written by hand, readable on a light and on a dark page. Colours are classes. */
export const WIDTH = 760;
/** The left edge of titles and names. */
export const EDGE = 16;
/** The height of a line of small text. */
const LINE = 16;

const STYLE = `
.page { fill: #fff } text { fill: #24292f } .quiet { fill: #57606a } .grid { stroke: #d8dee4 } .spread { stroke: #24292f }
.ours { fill: #1f6feb } .theirs { fill: #9aa4b2 } .limit { fill: #d8dee4 } .line { fill: none; stroke-width: 2.5 }
.line.ours { stroke: #1f6feb } .line.first { stroke: #57606a } .line.second { stroke: #bf8700 }
text.line { stroke: none } text.ours { fill: #1f6feb } text.first { fill: #57606a } text.second { fill: #9a6700 }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117 } text { fill: #e6edf3 } .quiet { fill: #9198a1 } .grid { stroke: #30363d } .spread { stroke: #e6edf3 }
.ours { fill: #4493f8 } .theirs { fill: #59636e } .limit { fill: #30363d } .line { fill: none }
.line.ours { stroke: #4493f8 } .line.first { stroke: #9198a1 } .line.second { stroke: #d29922 }
text.ours { fill: #4493f8 } text.first { fill: #9198a1 } text.second { fill: #d29922 }
}`;

/** Names as their projects write them; every other subject has its own. */
const NAMES = {
  "aws-sdk": "AWS SDK",
  "google-sdk": "Google SDK",
  "azure-sdk": "Azure SDK",
  awscrt: "AWS CRT",
  opendal: "OpenDAL",
  airflow: "Airflow",
  probe: "bare node:http",
};

export const nameOf = (subject) => NAMES[subject] ?? subject;

/**
 * Returns a chart.
 * @param {{ height: number, title: string, foot: string[], body: string[] }} parts `foot` has the lines that say how it was
 *   measured, below `height`
 */
export function svg({ height: above, title, foot, body }) {
  const height = above + foot.length * LINE + 10;
  const size = `width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"`;
  const parts = [
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect width="${WIDTH}" height="${height}" rx="6" class="page"/>`,
    words(EDGE, 26, title, 'font-size="15" font-weight="600"'),
    ...body,
    ...foot.map((line, i) => small(EDGE, above + (i + 1) * LINE - 4, line)),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="system-ui, sans-serif" font-size="13" role="img">\n${parts.join("\n")}\n</svg>\n`;
}

export const words = (x, y, text, more = "") => `<text x="${fixed(x)}" y="${fixed(y)}" ${more}>${escaped(text)}</text>`;

export const small = (x, y, text, more = "") => words(x, y, text, `font-size="11" class="quiet" ${more}`);

export const bar = (x, y, width, height, kind) =>
  `<rect x="${fixed(x)}" y="${fixed(y)}" width="${fixed(Math.max(0, width))}" height="${height}" rx="2" class="${kind}"/>`;

export const path = (shape, kind) => `<path d="${shape}" class="${kind}"/>`;

/**
 * Returns an axis below a panel, with a line up through the panel at each value.
 * @param {{ values: number[], scale: (value: number) => number, top: number, bottom: number, label: (value: number) => string }} axis
 */
export function axisBelow({ values, scale, top, bottom, label }) {
  return values.flatMap((value) => [
    path(`M${fixed(scale(value))} ${top}V${bottom}`, "grid"),
    small(scale(value), bottom + 14, label(value), 'text-anchor="middle"'),
  ]);
}

/** Returns round values from 0 to `most`, four or five of them. */
export function roundValues(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [0.2, 0.25, 0.5, 1, 2].map((part) => part * power).find((size) => most / size < 5) ?? power;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
}

/** Maps `low` to `from` and `high` to `from + length` by their logarithms. */
export function logScale(low, high, from, length) {
  const span = Math.log(high / low) || 1;
  return (value) => from + (Math.log(value / low) / span) * length;
}

export const fixed = (value) => Number(value.toFixed(1));

export const count = (value) =>
  value >= 20 || Number.isInteger(value) ? Math.round(value).toLocaleString("en-US") : value.toFixed(1);

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
