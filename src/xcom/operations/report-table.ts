/** Tables and bars of a report's page. */
import type { ReportDay } from "./report-data.js";
import { bytesText, countText, escapeHtml, nameHtml, shareText, sumText } from "./report-text.js";

/** Names sort as text, numbers by their value. */
export interface Column {
  title: string;
  isNumber?: boolean | undefined;
  /** Of bars, for which a phone has no room. */
  isShare?: boolean | undefined;
  /** Less important than the others: a phone does not show it. */
  isSpare?: boolean | undefined;
}

export interface Cell {
  html: string;
  /** What a number sorts by. */
  value?: number | undefined;
}

export interface Table {
  caption: string;
  columns: readonly Column[];
  rows: readonly (readonly Cell[])[];
  /** Rows that stay at the end. */
  foot?: readonly (readonly Cell[])[] | undefined;
  /** The column by which the rows are sorted from large to small. */
  sortedBy?: number | undefined;
}

export function bytesCell(bytes: number): Cell {
  return { html: bytesText(bytes), value: bytes };
}

export function countCell(count: number): Cell {
  return { html: countText(count), value: count };
}

export function nameCell(name: string, otherwise?: string): Cell {
  return { html: `<span class="name" title="${escapeHtml(name)}">${nameHtml(name, otherwise)}</span>` };
}

/** A path without the part that all have, which its title has. */
export function pathCell(path: string, top: string): Cell {
  const short = path.startsWith(`${top}/`) ? path.slice(top.length + 1) : path;
  return { html: `<span class="name" title="${escapeHtml(path)}">${nameHtml(short)}</span>` };
}

export function timeCell(iso: string | undefined): Cell {
  if (iso === undefined) return { html: "unknown", value: 0 };
  return { html: `<time datetime="${iso}">${timeText(iso)}</time>`, value: Date.parse(iso) };
}

/** Formats as `2026-01-31 04:05`, in UTC. */
export function timeText(iso: string): string {
  return iso.slice(0, 16).replace("T", " ");
}

/** A share as a bar and in numbers. */
export function shareCell(part: number, total: number): Cell {
  const percent = total === 0 ? 0 : (100 * part) / total;
  const bar = `<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width="${percent.toFixed(2)}" height="8"/></svg>`;
  return { html: `${bar}<span>${shareText(part, total)}</span>`, value: part };
}

/** A table whose columns sort by their headings. */
export function tableHtml({ caption, columns, rows, foot = [], sortedBy }: Table): string {
  const classes = columns.map(classOf);
  const heads = columns.map(({ title }, i) => {
    const sort = i === sortedBy ? ' aria-sort="descending"' : "";
    return `<th scope="col"${classes[i]}${sort}><button type="button">${escapeHtml(title)}</button></th>`;
  });
  const cell = ({ html, value }: Cell, i: number) =>
    `<td${classes[i]}${value === undefined ? "" : ` data-value="${value}"`}>${html}</td>`;
  const line = (cells: readonly Cell[]) => `<tr>${cells.map(cell).join("")}</tr>`;
  const end = foot.length > 0 ? `<tfoot>${foot.map(line).join("")}</tfoot>` : "";
  const head = `<caption>${escapeHtml(caption)}</caption><thead><tr>${heads.join("")}</tr></thead>`;
  return `<div class="scroll" tabindex="0" role="region" aria-label="${escapeHtml(caption)}"><table>${head}<tbody>${rows.map(line).join("")}</tbody>${end}</table></div>`;
}

function classOf({ isNumber, isShare, isSpare }: Column): string {
  const names = [isNumber || isShare ? "number" : "", isShare ? "share" : "", isSpare ? "spare" : ""].filter(Boolean);
  return names.length > 0 ? ` class="${names.join(" ")}"` : "";
}

/** Pixels around the bars. */
const TOP = 18;
const BOTTOM = 20;

/** Bars of bytes by day. */
export function daysSvg(days: readonly ReportDay[], width: number, height: number, label: string): string {
  const most = Math.max(1, ...days.map(({ bytes }) => bytes));
  const step = width / days.length;
  const room = height - TOP - BOTTOM;
  const bars = days.map((day, i) => {
    const tall = day.objects === 0 ? 0 : Math.max(1.5, (room * day.bytes) / most);
    const [x, y] = [i * step, TOP + room - tall];
    const bar = `<rect x="${(x + step * 0.1).toFixed(1)}" y="${y.toFixed(1)}" width="${(step * 0.8).toFixed(1)}" height="${tall.toFixed(1)}" rx="1"/>`;
    const whole = `<rect class="hit" x="${x.toFixed(1)}" y="${TOP}" width="${step.toFixed(1)}" height="${room}"/>`;
    return `<g><title>${day.day}: ${sumText(day)}</title>${whole}${bar}</g>`;
  });
  const line = `<path d="M0 ${TOP}H${width}M0 ${TOP + room}H${width}"/>`;
  const first = `<text x="0" y="${height - 5}">${days[0]?.day}</text>`;
  const last = `<text x="${width}" y="${height - 5}" text-anchor="end">${days.at(-1)?.day}</text>`;
  const scale = `<text x="0" y="12">${bytesText(most)} in a day</text>`;
  return `<svg class="days" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(label)}">${line}${bars.join("")}${scale}${first}${last}</svg>`;
}
