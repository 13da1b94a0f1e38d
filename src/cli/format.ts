/** Numbers, times and text as a person reads them. */
import { type Output, put } from "./io.js";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** `1.5 MiB`, `200 B`, `14 KiB`: two or three digits. */
export function bytes(count: number): string {
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

/** Local time of the reader, to the second. */
export function moment(date: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `1:05` or `2:03:04`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34 } as const;

export type Style = keyof typeof STYLES;

export function styled({ color }: Output, style: Style, text: string): string {
  return color ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text;
}

/** Control characters and those that turn the direction of text, which could play tricks with a terminal, made visible. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (c) => {
    const code = c.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}

/** Text that begins at column `indent`, broken at spaces where the line ends; a word longer than a line stays whole. */
export function wrapped({ columns }: Output, indent: number, text: string): string {
  const room = (columns ?? Number.POSITIVE_INFINITY) - indent;
  if (text.length <= room || room < 20) return text;
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + word.length > room) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines.join(`\n${" ".repeat(indent)}`);
}

/** Rows of a name and a value, the values under each other. */
export async function facts(out: Output, rows: readonly (readonly [string, string])[]): Promise<void> {
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) {
    await put(out, `${styled(out, "dim", name.padEnd(width))}  ${wrapped(out, width + 2, value)}\n`);
  }
}

/** One JSON value on a line of its own. */
export function jsonLine(out: Output, value: unknown): Promise<void> {
  return put(out, `${JSON.stringify(value)}\n`);
}
