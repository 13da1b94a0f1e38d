/** Negative, zero or positive as `a` comes before, with or after `b` in the order of their UTF-8 bytes, which is how object stores list. */
export function byUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Whether a row of a listing comes after `startAfter`; a directory by its own key, whatever is in it. */
export function isAfter(key: string, startAfter: string | undefined): boolean {
  return startAfter === undefined || byUtf8(key, startAfter) > 0;
}

// UTF-16 puts surrogates (characters from U+10000) before U+E000 to U+FFFF; UTF-8 puts them after.
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
