/** JSON strings as Python's `json.dumps` writes them: ASCII only, everything outside space to tilde escaped. */

/** What needs no escape in Python: space to tilde, without the quote and the backslash. */
const BARE = /^[ !#-[\]-~]*$/;

const LONG_ESCAPE = 6;
const SHORT_ESCAPE = 2;

/** The string with its quotes, in ASCII. */
export function pythonString(text: string): string {
  // JSON.stringify has already escaped the quote, the backslash, C0 and lone surrogates, as Python does.
  return JSON.stringify(text).replace(
    /[\x7f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Bytes of {@link pythonString} without its quotes. */
export function pythonLength(text: string): number {
  if (BARE.test(text)) return text.length;
  let length = 0;
  for (let i = 0; i < text.length; i++) length += unitLength(text.charCodeAt(i));
  return length;
}

function unitLength(unit: number): number {
  if (unit >= 0x20 && unit <= 0x7e) return unit === 0x22 || unit === 0x5c ? SHORT_ESCAPE : 1;
  // \b \t \n \f \r, and not \v
  return unit >= 0x08 && unit <= 0x0d && unit !== 0x0b ? SHORT_ESCAPE : LONG_ESCAPE;
}

/** Where `text` can be cut at or before `end` without parting a surrogate pair. */
export function safeCut(text: string, end: number): number {
  if (end >= text.length) return text.length;
  const before = text.charCodeAt(end - 1);
  return before >= 0xd800 && before <= 0xdbff ? end - 1 : end;
}
