/** In a file of its own: small bundles hold secrets, but no connections. */
import { inspect } from "node:util";
import { CLASS } from "../brand.js";

/** A value hidden from messages, logs, inspection, JSON and strings; only `reveal()` returns it. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "Secret" {
    return "Secret";
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "[redacted]";
  }

  toJSON(): string {
    return "[redacted]";
  }

  [inspect.custom](): string {
    return "[redacted]";
  }
}
