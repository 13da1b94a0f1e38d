/**
 * Records a session of the built command as docs/terminal.svg. Usage: npm run build && node scripts/record-terminal.mjs
 * With `--check` it compares instead, but for digits: zlib packs differently from one Node to the next.
 *
 * The commands really run, in their own folder, which the output shows as /data. File times are set and random ids
 * replaced, so that the same build records the same picture.
 */
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "..");
const WHEN = new Date("2026-11-21T09:30:00Z");
/** A writer's id, different in every run. */
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const COLUMNS = 110;

const SESSION = [
  "stowage ls -r reports",
  "stowage cp --compression gzip - backup/orders.csv.gz < reports/orders.csv",
  "stowage cat --compression infer backup/orders.csv.gz | head -3",
  "stowage cp --if-absent notes.txt backup/orders.csv.gz",
  "stowage xcom push --base xcom --dag sales --run run_1 --task extract --compression bz2 orders.json",
  "stowage xcom ls xcom",
  "stowage xcom ls --refs xcom | xargs stowage xcom show",
  "stowage doctor backup",
  "stowage cat s3://lake@bucket/orders.csv",
  "stowage doctor s3://lake@bucket",
];

/** Prepares the folder for the first command. @param {string} folder */
async function furnish(folder) {
  const orders = Array.from({ length: 20_000 }, (_, i) => ({ order: i + 1, total: (i * 37) % 500 }));
  await mkdir(join(folder, "reports"));
  await writeFile(join(folder, "notes.txt"), "hello\n");
  const lines = orders.map(({ order, total }) => `${order},${total}\n`);
  await writeFile(join(folder, "reports/orders.csv"), `order,total\n${lines.join("")}`);
  await writeFile(join(folder, "orders.json"), JSON.stringify(orders));
}

/** @param {string} folder */
async function setTimes(folder) {
  for (const name of await readdir(folder, { recursive: true })) await utimes(join(folder, name), WHEN, WHEN);
}

/** Returns the visible output of one command. @param {string} command @param {string} folder */
function shown(command, folder) {
  const stowage = `stowage() { "${process.execPath}" "${ROOT}/dist/cli/main.js" "$@"; }; export -f stowage`;
  const script = `${stowage}; xargs() { command xargs bash -c '"$@"' x "$@"; }; ${command}`;
  const env = { PATH: process.env.PATH ?? "", TZ: "UTC", FORCE_COLOR: "1" };
  const { stdout } = spawnSync("bash", ["-c", `{ ${script}; } 2>&1`], { cwd: folder, env, encoding: "utf8" });
  return stdout.replaceAll(folder, "/data").replaceAll(UUID, "0198a2b4-6c1d-4e3f-8a5b-9c0d1e2f3a4b");
}

/** Text with its style as SGR codes. @typedef {{ text: string, style: string }} Run */

const STYLES = new Map([
  ["1", "bold"],
  ["2", "dim"],
  ["31", "red"],
  ["32", "green"],
  ["33", "yellow"],
  ["34", "blue"],
]);

/** @param {string} text @returns {Run[][]} */
function linesOf(text) {
  /** @type {Run[][]} */
  const lines = [[]];
  let column = 0;
  let style = "";
  for (const [, code, line, plain = ""] of text.matchAll(/\u001b\[(\d+)m|(\n)|([^\u001b\n]+)/g)) {
    if (code !== undefined) style = STYLES.get(code) ?? "";
    if (line) column = lines.push([]) * 0;
    for (let rest = plain; rest !== ""; ) {
      if (column === COLUMNS) column = lines.push([]) * 0;
      const piece = rest.slice(0, COLUMNS - column);
      lines.at(-1)?.push({ text: piece, style });
      column += piece.length;
      rest = rest.slice(piece.length);
    }
  }
  return lines;
}

/** @param {string} text */
function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

const [WIDTH, HEIGHT, MARGIN] = [8.43, 19, 16];

/** @param {Run[][]} lines */
function svgOf(lines) {
  const width = Math.ceil(COLUMNS * WIDTH + 2 * MARGIN);
  const height = lines.length * HEIGHT + 2 * MARGIN;
  const rows = lines.map((runs, row) => {
    const spans = runs.map(({ text, style }) => `<tspan${style && ` class="${style}"`}>${escaped(text)}</tspan>`);
    return `<text xml:space="preserve" x="${MARGIN}" y="${MARGIN + 14 + row * HEIGHT}">${spans.join("")}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<style>
text { font: 14px "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #d8dee9; }
.bold { font-weight: bold; fill: #ffffff } .dim { fill: #8a93a5 } .red { fill: #ff7b72 } .green { fill: #7ee787 }
.yellow { fill: #e3b341 } .blue { fill: #79c0ff } .prompt { fill: #7ee787; font-weight: bold }
</style>
<rect width="100%" height="100%" rx="8" fill="#161b22"/>
${rows.join("\n")}
</svg>
`;
}

const folder = await mkdtemp(join(tmpdir(), "stowage-demo-"));
/** @type {Run[][]} */
const lines = [];
try {
  await furnish(folder);
  for (const command of SESSION) {
    await setTimes(folder);
    if (lines.length > 0) lines.push([]);
    const [first = [], ...more] = linesOf(command);
    lines.push([{ text: "$ ", style: "prompt" }, ...first.map(bold)], ...more.map((runs) => runs.map(bold)));
    lines.push(...linesOf(shown(command, folder).trimEnd()));
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
const picture = join(ROOT, "docs/terminal.svg");
if (process.argv.includes("--check")) await check();
else await writeFile(picture, svgOf(lines));
console.log(`docs/terminal.svg: ${SESSION.length} commands, ${lines.length} lines`);

async function check() {
  const plain = (/** @type {string} */ svg) => svg.replace(/[\d.]+/g, "0").split("\n");
  const old = plain(await readFile(picture, "utf8"));
  const now = plain(svgOf(lines));
  const at = now.findIndex((line, index) => line !== old[index]);
  if (at < 0 && old.length === now.length) return;
  console.error(
    `docs/terminal.svg is out of date: ${now.at(at)} was ${old.at(at)}; run node scripts/record-terminal.mjs`,
  );
  process.exit(1);
}

/** @param {Run} run @returns {Run} */
function bold({ text }) {
  return { text, style: "bold" };
}
