/** A treemap as SVG: Bruls, Huizing and van Wijk, "Squarified Treemaps" (2000). */
import type { ReportSum } from "./report-data.js";
import { bytesText, escapeHtml, sumText } from "./report-text.js";

export interface TreemapItem extends ReportSum {
  name: string;
  /** The number of its colour; none is grey. */
  color: number | undefined;
  /** Parts of the item, which are drawn inside. */
  parts?: readonly TreemapItem[] | undefined;
}

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Divides a box by values, which are sorted from large to small: one box for each, as square as possible. */
export function squarify(values: readonly number[], box: Box): Box[] {
  const boxes: Box[] = [];
  let rest = box;
  let left = values.reduce((total, value) => total + value, 0);
  for (let from = 0; from < values.length && left > 0; ) {
    const scale = (rest.width * rest.height) / left;
    const side = Math.min(rest.width, rest.height);
    let to = from + 1;
    let row = values[from]!;
    while (to < values.length) {
      const next = row + values[to]!;
      if (
        worst(values, [from, to + 1], next * scale, { scale, side }) >
        worst(values, [from, to], row * scale, { scale, side })
      )
        break;
      row = next;
      to += 1;
    }
    rest = placeRow(values.slice(from, to), rest, row / left, boxes);
    left -= row;
    from = to;
  }
  return boxes;
}

/** The largest ratio of sides among the items of a row. */
function worst(
  values: readonly number[],
  [from, to]: readonly [number, number],
  area: number,
  { scale, side }: { scale: number; side: number },
): number {
  const [largest, smallest] = [values[from]! * scale, values[to - 1]! * scale];
  return Math.max((side * side * largest) / (area * area), (area * area) / (side * side * smallest));
}

/** Places a row along the shorter side, and returns what is left of the box. */
function placeRow(row: readonly number[], box: Box, share: number, boxes: Box[]): Box {
  const total = row.reduce((sum, value) => sum + value, 0);
  const isWide = box.width >= box.height;
  const depth = (isWide ? box.width : box.height) * share;
  let at = isWide ? box.y : box.x;
  for (const value of row) {
    const length = ((isWide ? box.height : box.width) * value) / total;
    boxes.push(
      isWide ? { x: box.x, y: at, width: depth, height: length } : { x: at, y: box.y, width: length, height: depth },
    );
    at += length;
  }
  return isWide
    ? { ...box, x: box.x + depth, width: box.width - depth }
    : { ...box, y: box.y + depth, height: box.height - depth };
}

/** Items that are drawn; smaller ones would be lines. */
const DRAWN = 60;
/** Pixels. */
const GAP = 2;
const HEADER = 24;
const CHARACTER = 7.5;

/** Returns an SVG of this size, in pixels, which scales to the width of the page. */
export function treemapSvg(items: readonly TreemapItem[], width: number, height: number, label: string): string {
  const drawn = drawable(items);
  const boxes = squarify(
    drawn.map(({ bytes }) => bytes),
    { x: 0, y: 0, width, height },
  );
  const cells = boxes.map((box, i) => cell(drawn[i]!, box));
  return `<svg class="map" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(label)}">${cells.join("")}</svg>`;
}

/** The largest items, and one for all others. */
function drawable(items: readonly TreemapItem[]): TreemapItem[] {
  const sorted = items.filter(({ bytes }) => bytes > 0).sort((a, b) => b.bytes - a.bytes);
  const rest = sorted.slice(DRAWN);
  if (rest.length === 0) return sorted;
  const bytes = rest.reduce((total, item) => total + item.bytes, 0);
  const objects = rest.reduce((total, item) => total + item.objects, 0);
  const others = { name: `${rest.length} smaller`, bytes, objects, color: undefined };
  return [...sorted.slice(0, DRAWN), others].sort((a, b) => b.bytes - a.bytes);
}

function cell(item: TreemapItem, box: Box): string {
  const width = Math.max(0, box.width - GAP);
  const height = Math.max(0, box.height - GAP);
  if (width < 1 || height < 1) return "";
  const { name, color, parts = [] } = item;
  const isParent = parts.length > 1 && width > 90 && height > 70;
  const inner = { x: 4, y: HEADER, width: width - 8 + GAP, height: height - HEADER - 4 + GAP };
  const inside = isParent ? partsIn(parts, inner) : "";
  const place = `x="${round(box.x + GAP / 2)}" y="${round(box.y + GAP / 2)}" width="${round(width)}" height="${round(height)}"`;
  const title = `<title>${escapeHtml(`${name}: ${sumText(item)}`)}</title>`;
  const kind = `cell ${color === undefined ? "other" : `c${color}`}`;
  return `<svg ${place} class="${kind}"><g>${title}<rect width="100%" height="100%" rx="3"/>${labels(item, width, isParent ? HEADER : height)}</g>${inside}</svg>`;
}

function partsIn(parts: readonly TreemapItem[], box: Box): string {
  const drawn = drawable(parts);
  const boxes = squarify(
    drawn.map(({ bytes }) => bytes),
    box,
  );
  return `<g class="parts">${boxes.map((one, i) => cell(drawn[i]!, one)).join("")}</g>`;
}

/** The name, and the bytes below it, or beside it in a low cell, if they fit. */
function labels({ name, bytes }: TreemapItem, width: number, height: number): string {
  const room = Math.floor((width - 14) / CHARACTER);
  if (room < 3 || height < 20) return "";
  const size = bytesText(bytes);
  const isLow = height < 40;
  const beside = isLow && room > size.length + 6 ? `<tspan class="size" dx="8">${size}</tspan>` : "";
  const text = `<text x="7" y="16" unicode-bidi="isolate">${escapeHtml(shortened(name, beside ? room - size.length - 1 : room))}${beside}</text>`;
  return isLow || room < size.length ? text : `${text}<text class="size" x="7" y="32">${size}</text>`;
}

function shortened(name: string, room: number): string {
  const characters = [...name];
  return characters.length <= room ? name : `${characters.slice(0, Math.max(1, room - 1)).join("")}…`;
}

function round(number: number): string {
  return number.toFixed(1);
}
