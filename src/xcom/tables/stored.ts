/** Cells made of what the binary formats store. */
import { PlainDate } from "../serde/types.js";

/** A number where it is exact, up to 2^53 - 1; else a bigint. */
export function exactInt(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** The date at so many milliseconds since 1970. */
export function dateAt(millis: number): PlainDate {
  const iso = new Date(millis).toISOString();
  return new PlainDate(iso.slice(0, iso.indexOf("T")));
}

/** The text of an integer that counts units of 10^-scale. */
export function decimalText(value: bigint, scale: number): string {
  if (scale <= 0) return String(value * 10n ** BigInt(-scale));
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
