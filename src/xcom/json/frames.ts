/** Where a walk through a value is: one frame for each array, object or long string that it is inside of. */
import type { Form } from "./encoding.js";

interface Progress {
  /** The element that comes next, and how many there are. */
  at: number;
  readonly length: number;
}
export interface List extends Progress {
  kind: "list";
  source: object;
  items: readonly unknown[];
  form: Form;
}
export interface Dict extends Progress {
  kind: "dict";
  source: object;
  keys: readonly string[];
  valueAt: (index: number) => unknown;
  /** Whether an entry was written, so that the next needs a comma. */
  begun: boolean;
  form: Form;
}
export interface Long extends Progress {
  kind: "long";
  text: string;
}
export type Frame = List | Dict | Long;

/** What ends the text of each. */
export const CLOSING = { list: "]", dict: "}", long: '"' };
