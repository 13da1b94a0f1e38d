/** Text of reports: numbers for people, and names from outside that stay text. */
import type { ReportSum } from "./report-data.js";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** Formats bytes with two or three digits: `1.5 MiB`, `200 B`, `14 KiB`. */
export function bytesText(count: number): string {
  let unit = 0;
  let value = count;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  // 1023.97 would round to 1024 of the smaller unit.
  const rounded = unit > 0 && value < 99.95 ? value.toFixed(1) : Math.min(1023, Math.round(value)).toFixed(0);
  return `${rounded} ${UNITS[unit]}`;
}

export function countText(count: number): string {
  return count.toLocaleString("en-US");
}

export function sumText({ bytes, objects }: ReportSum): string {
  return `${bytesText(bytes)} in ${numberOf(objects, "object")}`;
}

/** Formats a number of things: `1 object`, `2,000 objects`. */
export function numberOf(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Formats a part of a whole as `12.3%`. */
export function shareText(part: number, total: number): string {
  return total === 0 ? "0%" : `${((100 * part) / total).toFixed(1)}%`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Returns text for HTML, also within quotes. Control and bidirectional characters become visible. */
export function escapeHtml(text: string): string {
  const visible = text.replace(
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return visible.toWellFormed().replace(/[&<>"']/g, (char) => ESCAPES[char]!);
}

/** Returns a name as its own run of text, so that one written from right to left does not turn what is beside it. */
export function nameHtml(name: string, otherwise = ""): string {
  return name === "" ? `<i>${escapeHtml(otherwise)}</i>` : `<bdi>${escapeHtml(name)}</bdi>`;
}
