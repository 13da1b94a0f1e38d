/** What a value may hold and what stands for it in JSON. */

/**
 * Where a value stands. Airflow writes the same value differently in an object, in the metadata row, and inside an
 * envelope of an object.
 */
export type Form = "object" | "nested" | "row";

/** A JSON object given by its entries; the keys need no check. */
export class Fields {
  constructor(readonly entries: readonly (readonly [string, unknown])[]) {}
}

/** What stands for a value, and the form of what is inside it. */
export interface Lowered {
  value: unknown;
  form: Form;
}

export interface Encoding {
  /** Whether NaN and the infinities are written, as Python's tokens. */
  readonly nonFinite: boolean;
  /** What stands for an object that is neither a plain object nor an array. InvalidArgument when nothing does. */
  lower(value: object, form: Form): Lowered;
  /** Why a plain object with these keys cannot be written, undefined when it can. */
  refusal(value: object): string | undefined;
  /** What a JSON object stands for, its values being done already. */
  revive(object: Record<string, unknown>): unknown;
  /** Whether `key` of a JSON object that is being read opens data whose floats must stay floats. */
  opensExact(object: Record<string, unknown>, key: string): boolean;
  /** Whether this text can hold anything to revive. */
  mayRevive(text: string): boolean;
}

/** `object[key] = value` for any key: `__proto__` is data like any other. */
export function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== "__proto__") object[key] = value;
  else Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

/** Whether it is an object of the kind that `{}` makes, of this realm or another. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}
