/** Where strings, arrays and objects of a JSON text end. */

/** Characters within which {@link closingOf} looks. */
const NEAR = 16 * 1024;

/**
 * From `start`, inside a string: where its closing quote is, or where the text can be cut without parting an escape.
 */
export function scanString(text: string, start: number): { end: number; closed: boolean } {
  let quote = text.indexOf('"', start);
  while (quote >= 0 && slashesBefore(text, quote, start) % 2 === 1) quote = text.indexOf('"', quote + 1);
  return quote >= 0 ? { end: quote, closed: true } : { end: wholeEscapes(text, start), closed: false };
}

/** What the inside of a string stands for; undefined when it is not valid. */
export function readString(inside: string): string | undefined {
  if (!/[\\\0-\x1f]/.test(inside)) return inside;
  try {
    return JSON.parse(`"${inside}"`) as string;
  } catch {
    return undefined;
  }
}

/** The end of the array or object that begins at `start`; -1 when it is not near, or nested deeper than `levels`. */
export function closingOf(text: string, start: number, levels: number): number {
  const limit = Math.min(text.length, start + NEAR);
  for (let at = start, depth = 0; at < limit; at++) {
    const unit = text.charCodeAt(at);
    if (unit === 0x22) {
      const { end, closed } = scanString(text, at + 1);
      if (!closed) return -1;
      at = end;
    } else if (unit === 0x7b || unit === 0x5b) {
      if (++depth > levels) return -1;
    } else if ((unit === 0x7d || unit === 0x5d) && --depth === 0) return at + 1;
  }
  return -1;
}

function slashesBefore(text: string, end: number, start: number): number {
  let at = end;
  while (at > start && text.charCodeAt(at - 1) === 0x5c) at--;
  return end - at;
}

/** The end of `text` without an escape that is begun there: `\`, or `\u` with less than four digits. */
function wholeEscapes(text: string, start: number): number {
  const slash = text.lastIndexOf("\\");
  if (slash < Math.max(start, text.length - 5)) return text.length;
  if (slashesBefore(text, slash, start) % 2 === 1) return text.length;
  const begun = slash === text.length - 1 || text[slash + 1] === "u";
  return begun ? slash : text.length;
}
