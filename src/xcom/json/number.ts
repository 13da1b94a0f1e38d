/** How numbers are written so that Python and JavaScript read the same value. */

/**
 * A number that Python is to see as a float although it is whole: `new Float(1)` is written `1.0`, the number 1 is
 * written `1`. Readers hand out plain numbers, except inside an {@link Envelope} of an unknown class.
 */
export class Float {
  constructor(readonly value: number) {}

  valueOf(): number {
    return this.value;
  }

  toJSON(): number {
    return this.value;
  }
}

/** Whether the number stands for a Python int: whole, exact (at most 2^53 - 1) and not -0. Any other is a float. */
export function isInt(value: number): boolean {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}

/** `repr` of a Python float: `1.0`, `-0.0`, `1e-07`, `1e+16`, `NaN`, `Infinity`. */
export function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Object.is(value, -0)) return "-0.0";
  const [mantissa, exponent] = value.toExponential().split("e") as [string, string];
  // The bounds of Python's float_repr_style "short": fixed notation from 1e-4 up to, not including, 1e16.
  const power = Number(exponent);
  if (power < -4 || power >= 16) return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
