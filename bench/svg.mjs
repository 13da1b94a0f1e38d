/** What all charts share: SVG written by hand, on white, so that it reads the same wherever a page shows it. */
export const WIDTH = 760;
export const OURS = "#1f6feb";
export const THEIRS = "#9aa4b2";
export const LIMIT = "#d0d7de";
export const INK = "#24292f";

/** @param {number} height @param {string} title @param {string[]} body */
export function svg(height, title, body) {
  const size = `width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"`;
  const style = `font-family="system-ui, sans-serif" font-size="13" fill="${INK}"`;
  const back = `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`;
  const head = words(10, 22, title, 'font-size="15" font-weight="600"');
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${style} role="img">\n<title>${escaped(title)}</title>\n${[back, head, ...body].join("\n")}\n</svg>\n`;
}

export const words = (x, y, text, more = "") => `<text x="${fixed(x)}" y="${fixed(y)}" ${more}>${escaped(text)}</text>`;

export const small = (x, y, text, more = "") => words(x, y, text, `font-size="11" fill="#57606a" ${more}`);

export const box = (x, y, width, height, color) =>
  `<rect x="${fixed(x)}" y="${fixed(y)}" width="${fixed(Math.max(0, width))}" height="${fixed(height)}" fill="${color}"/>`;

export const path = (shape, color, more = "") => `<path d="${shape}" fill="none" stroke="${color}" ${more}/>`;

/** Maps `low` to `from` and `high` to `from + length` by their logarithms. */
export function logScale(low, high, from, length) {
  const span = Math.log(high / low) || 1;
  return (value) => from + (Math.log(value / low) / span) * length;
}

export const fixed = (value) => Number(value.toFixed(1));

export const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
