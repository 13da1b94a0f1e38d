/** A report as one page that needs nothing else. */
import { createHash } from "node:crypto";
import type {
  ReportBin,
  ReportBreakdown,
  ReportExpiry,
  ReportGroup,
  ReportObject,
  ReportReferences,
  ReportSum,
  StorageReport,
} from "./report-data.js";
import { BREAKDOWNS, SCRIPT, STYLE } from "./report-page.js";
import {
  bytesCell,
  type Cell,
  type Column,
  countCell,
  daysSvg,
  nameCell,
  pathCell,
  shareCell,
  tableHtml,
  timeCell,
  timeText,
} from "./report-table.js";
import { bytesText, countText, escapeHtml, nameHtml, numberOf, shareText, sumText } from "./report-text.js";
import { type TreemapItem, treemapSvg } from "./report-treemap.js";

/** Pixels of charts, for pages of a desk's width and of a phone's. */
const WIDE = { width: 1140, map: 430, days: 190 };
const NARROW = { width: 330, map: 400, days: 150 };
/** Colours of the style, `c0` to `c6`. */
const COLORS = 7;

/**
 * Returns a report as an HTML page: charts, tables that sort, light and dark. It has no address of anything else, and its
 * content security policy allows nothing but its own style and script. Names from the store appear as text.
 *
 * @example
 * const page = reportHtml(await report({ storage, path: "s3://lake@bucket/xcom" }));
 */
export function reportHtml(report: StorageReport): string {
  const { path, createdAt, total, references, expiries } = report;
  const sections =
    total.objects === 0 ? [empty()] : [breakdowns(report), growth(report), bins(report), largest(report)];
  if (references) sections.push(rows(references, path));
  if (expiries.length > 0) sections.push(retention(expiries));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '${hashOf(STYLE)}'; script-src '${hashOf(SCRIPT)}'; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer"><link rel="icon" href="data:,">
<title>${escapeHtml(path)}: storage report</title><style>${STYLE}</style></head>
<body><main><header><h1>${nameHtml(path)}</h1><p class="soft">Storage report of <time datetime="${createdAt}">${timeText(createdAt)} UTC</time></p></header>
${cards(report)}
${sections.join("\n")}
<footer class="soft">Made by <code>stowage report</code>. Sizes are as stored; times are in UTC. Sums are exact; lists have their largest 100 entries.</footer>
</main><script>${SCRIPT}</script></body></html>
`;
}

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

function empty(): string {
  return "<section><h2>Nothing is here</h2><p>There is no object below this path. Is it the base path of the XComs?</p></section>";
}

function cards({ total, unknown, dags, runs, days, failed, references, expiries }: StorageReport): string {
  const week = days
    .slice(-7)
    .reduce((sum, day) => ({ bytes: sum.bytes + day.bytes, objects: sum.objects + day.objects }), {
      bytes: 0,
      objects: 0,
    });
  const all = [
    card("Stored", bytesText(total.bytes), `${numberOf(total.objects, "object")}`),
    card("Written in 7 days", bytesText(week.bytes), `${numberOf(week.objects, "object")}`),
    card("Dags", countText(dags.count), `${numberOf(runs.count, "run")}`),
  ];
  if (references) {
    const { orphaned, young, missing } = references;
    const untold = young.objects > 0 ? `; ${numberOf(young.objects, "object")} too young to tell` : "";
    all.push(
      card(
        "Without a row",
        bytesText(orphaned.bytes),
        `${numberOf(orphaned.objects, "object")}, ${shareText(orphaned.bytes, total.bytes)}${untold}`,
      ),
    );
    all.push(card("Missing objects", countText(missing), "that rows refer to", missing > 0));
  }
  if (expiries.length > 0) {
    const soon = expiries.reduce(
      (bytes, { overdue, withinDay, withinWeek }) => bytes + overdue.bytes + withinDay.bytes + withinWeek.bytes,
      0,
    );
    all.push(card("Expires in 7 days", bytesText(soon), "by rules of the bucket"));
  }
  if (unknown.objects > 0)
    all.push(card("Other names", bytesText(unknown.bytes), `${numberOf(unknown.objects, "object")}, not Airflow's`));
  if (failed > 0) all.push(card("Not listed", countText(failed), "folders: the sums lack them", true));
  const unchecked = references?.unchecked ?? 0;
  if (unchecked > 0) all.push(card("Not checked", countText(unchecked), "references: the store refused", true));
  return `<dl class="cards">${all.join("")}</dl>`;
}

function card(name: string, value: string, remark: string, isBad = false): string {
  return `<div><dt>${name}</dt><dd${isBad ? ' class="bad"' : ""}>${value}<small>${remark}</small></dd></div>`;
}

const LABELS = { dags: "Dag", runs: "Run", tasks: "Task", codecs: "Codec", classes: "Retention class" };
/** What stands for an empty name. */
const NAMELESS = { dags: "", runs: "", tasks: "", codecs: "not compressed", classes: "no class" };

function breakdowns(report: StorageReport): string {
  const radios = BREAKDOWNS.map(
    (name, i) =>
      `<label><input type="radio" name="by" id="by-${name}"${i === 0 ? " checked" : ""}><span>${LABELS[name]}</span></label>`,
  );
  const panels = BREAKDOWNS.map((name) => `<div class="panel panel-${name}">${panel(report, name)}</div>`);
  const choice = `<fieldset><legend>What the map and the table divide by</legend>${radios.join("")}</fieldset>`;
  return `<section class="by"><h2>What takes the space</h2>${choice}${panels.join("")}</section>`;
}

function panel(report: StorageReport, name: (typeof BREAKDOWNS)[number]): string {
  const breakdown = report[name];
  const label = `Bytes by ${LABELS[name]}; the table below has the numbers`;
  const items = itemsOf(report, name);
  const map = (at: typeof WIDE) => treemapSvg(items, at.width, at.map, label);
  const maps = `<div class="wide">${map(WIDE)}</div><div class="narrow">${map(NARROW)}</div>`;
  return maps + breakdownTable(breakdown, { label: LABELS[name], nameless: NAMELESS[name], total: report.total });
}

function itemsOf(report: StorageReport, name: (typeof BREAKDOWNS)[number]): TreemapItem[] {
  const colors = new Map(report.dags.groups.map((dag, i) => [dag.name, i % COLORS]));
  const colorOf = ({ name: own, dagId }: ReportGroup, i: number) =>
    name === "codecs" || name === "classes" ? i % COLORS : colors.get(dagId ?? own);
  const { groups, count, others } = report[name];
  const items = groups.map(
    (group, i): TreemapItem => ({
      ...{ bytes: group.bytes, objects: group.objects },
      name: group.name || NAMELESS[name],
      color: colorOf(group, i),
      parts: name === "dags" ? partsOf(group, report.tasks.groups, i % COLORS) : undefined,
    }),
  );
  const rest =
    others.objects === 0 ? [] : [{ ...others, name: `${countText(count - groups.length)} others`, color: undefined }];
  const unknown = report.unknown.objects === 0 ? [] : [{ ...report.unknown, name: "other names", color: undefined }];
  return [...items, ...rest, ...unknown];
}

/** The tasks of a Dag that are among the largest, and the rest of it. */
function partsOf(dag: ReportGroup, tasks: readonly ReportGroup[], color: number): TreemapItem[] {
  const own = tasks.filter(({ dagId }) => dagId === dag.name);
  const rest = { name: "other tasks", bytes: dag.bytes, objects: dag.objects, color };
  for (const { bytes, objects } of own) {
    rest.bytes -= bytes;
    rest.objects -= objects;
  }
  return [...own.map((task) => ({ ...task, color })), ...(rest.objects > 0 ? [rest] : [])];
}

interface Breakdown {
  label: string;
  nameless: string;
  total: ReportSum;
}

function breakdownTable({ groups, count, others }: ReportBreakdown, { label, nameless, total }: Breakdown): string {
  const isOfDag = groups.some(({ dagId }) => dagId !== undefined);
  const columns: Column[] = [{ title: label }, ...(isOfDag ? [{ title: "Dag" }] : []), ...SUM_COLUMNS];
  const line = (first: Cell, dag: Cell, sum: ReportSum) => [first, ...(isOfDag ? [dag] : []), ...sumCells(sum, total)];
  const lines = groups.map((group) => line(nameCell(group.name, nameless), nameCell(group.dagId ?? ""), group));
  const foot =
    others.objects === 0 ? [] : [line({ html: `${countText(count - groups.length)} others` }, { html: "" }, others)];
  return tableHtml({ caption: `Bytes by ${label}`, columns, rows: lines, foot, sortedBy: columns.length - 2 });
}

const SUM_COLUMNS: readonly Column[] = [
  { title: "Objects", isNumber: true },
  { title: "Bytes", isNumber: true },
  { title: "Share", isNumber: true, isShare: true },
];

function sumCells({ objects, bytes }: ReportSum, total: ReportSum): Cell[] {
  return [countCell(objects), bytesCell(bytes), shareCell(bytes, total.bytes)];
}

function growth({ days, earlier, undated }: StorageReport): string {
  const label = "Bytes by the day on which they were written";
  const chart = (at: typeof WIDE) => daysSvg(days, at.width, at.days, label);
  const more = undated.objects === 0 ? "" : ` ${sumText(undated)} dated in the future or not at all.`;
  const before = earlier.objects === 0 ? "" : ` ${sumText(earlier)} from before.`;
  const note = `What is stored now, by the day on which it was written.${before}${more}`;
  const shown = days.filter(({ objects }) => objects > 0).reverse();
  const most = Math.max(...shown.map(({ bytes }) => bytes), 0);
  const table = tableHtml({
    caption: label,
    columns: [{ title: "Day" }, ...SUM_COLUMNS.slice(0, 2), { title: "Of the most", isNumber: true, isShare: true }],
    rows: shown.map(({ day, objects, bytes }) => [
      { html: `<span class="day">${day}</span>` },
      countCell(objects),
      bytesCell(bytes),
      shareCell(bytes, most),
    ]),
  });
  return `<section><h2>Growth by day</h2><p class="soft">${note}</p><div class="wide">${chart(WIDE)}</div><div class="narrow">${chart(NARROW)}</div>${shown.length > 0 ? `<details><summary>Numbers by day</summary>${table}</details>` : ""}</section>`;
}

function bins({ sizes, ages, total }: StorageReport): string {
  const sizeText = (at: number) => bytesText(at).replace(".0 ", " ");
  return `<div class="pair">${binSection("Size", sizes, total, sizeText)}${binSection("Age", ages, total, durationText)}</div>`;
}

function binSection(
  title: string,
  all: readonly ReportBin[],
  total: ReportSum,
  textOf: (at: number) => string,
): string {
  const columns = [{ title }, ...SUM_COLUMNS];
  const used = all.slice(0, all.findLastIndex(({ objects }) => objects > 0) + 1);
  const rows = used.map((bin): Cell[] => [{ html: binText(bin, textOf), value: bin.from }, ...sumCells(bin, total)]);
  return `<section><h2>${title}</h2>${tableHtml({ caption: `Objects by ${title.toLowerCase()}`, columns, rows })}</section>`;
}

function binText({ from, to }: ReportBin, textOf: (at: number) => string): string {
  if (to === undefined) return `${textOf(from)} or more`;
  return from === 0 ? `below ${textOf(to)}` : `${textOf(from)} to ${textOf(to)}`;
}

const DURATIONS: readonly (readonly [string, number])[] = [
  ["year", 365 * 86_400_000],
  ["day", 86_400_000],
  ["hour", 3_600_000],
];

function durationText(ms: number): string {
  const [name, unit] = DURATIONS.find(([, one]) => ms >= one) ?? ["hour", 3_600_000];
  const count = ms / unit;
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}

function largest({ largest: objects, path, total }: StorageReport): string {
  return `<section><h2>Largest objects</h2>${objectTable("Largest objects", objects, { top: path, total: total.bytes })}</section>`;
}

function objectTable(
  caption: string,
  objects: readonly ReportObject[],
  { top, total }: { top: string; total: number },
): string {
  const columns = [{ title: "Path" }, { title: "Written", isNumber: true, isSpare: true }, ...SUM_COLUMNS.slice(1)];
  const rows = objects.map(({ path, size, modified }) => [
    pathCell(path, top),
    timeCell(modified),
    bytesCell(size),
    shareCell(size, total),
  ]);
  return tableHtml({ caption, columns, rows, sortedBy: 2 });
}

function rows(found: ReportReferences, top: string): string {
  const { referenced, orphaned, young, missing, missingPaths, largestOrphans, references, elsewhere } = found;
  const read = `${numberOf(references, "text")} of rows name objects here, ${countText(elsewhere)} elsewhere.`;
  const sums = `${sumText(referenced)} with a row; ${sumText(orphaned)} without one${young.objects > 0 ? `; ${sumText(young)} too young to tell` : ""}.`;
  const orphans =
    orphaned.objects === 0
      ? '<p class="good">Every object that is old enough has its row.</p>'
      : `<h3>Largest objects without a row</h3><p class="soft"><code>stowage sweep</code> moves all of them to a trash, or deletes them.</p>${objectTable("Largest objects without a row", largestOrphans, { top, total: orphaned.bytes })}`;
  const lost =
    missing === 0
      ? '<p class="good">Every reference has its object.</p>'
      : `<h3 class="bad">${countText(missing)} missing</h3><p class="soft">Rows refer to these objects, and they are not there. <code>stowage fsck</code> names the rows.</p>${tableHtml({ caption: "Missing objects", columns: [{ title: "Path" }], rows: missingPaths.map((path) => [pathCell(path, top)]) })}`;
  return `<section><h2>Objects and rows</h2><p class="soft">${read} ${sums}</p>${lost}${orphans}</section>`;
}

const EXPIRY_COLUMNS = ["Days", "Overdue", "In 1 day", "In 7 days", "In 30 days", "Later", "With a row, in 7 days"];

function retention(expiries: readonly ReportExpiry[]): string {
  const isCompared = expiries.some(({ stillReferenced }) => stillReferenced !== undefined);
  const numbers = isCompared ? EXPIRY_COLUMNS : EXPIRY_COLUMNS.slice(0, -1);
  const columns = [
    { title: "Rule" },
    { title: "Keys", isSpare: true },
    ...numbers.map((title) => ({ title, isNumber: true })),
  ];
  const lines = expiries.map((rule) => {
    const { name, prefix, days, overdue, withinDay, withinWeek, withinMonth, later, stillReferenced } = rule;
    const bytes = [overdue, withinDay, withinWeek, withinMonth, later].map((sum) => bytesCell(sum.bytes));
    const when = days === 0 ? { html: "other conditions", value: 0 } : countCell(days);
    return [
      nameCell(name),
      nameCell(prefix, "all"),
      when,
      ...bytes,
      ...(stillReferenced ? [referencedCell(stillReferenced)] : []),
    ];
  });
  const note =
    "An object counts for the rule with the shortest time. Those with a row are read no more once they are gone.";
  return `<section><h2>What retention deletes next</h2><p class="soft">${note}</p>${tableHtml({ caption: "What retention deletes next", columns, rows: lines })}</section>`;
}

function referencedCell({ bytes }: ReportSum): Cell {
  return { html: bytes > 0 ? `<span class="bad">${bytesText(bytes)}</span>` : bytesText(bytes), value: bytes };
}
