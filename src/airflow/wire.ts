/** What the SDK can carry to Airflow's supervisor without losing the task. */
import { failure, invalid, type StorageError } from "../errors.js";
import { isPlain } from "../xcom/json/encoding.js";

/** Bytes of a row: the SDK gives up on an answer after 30 s, which 64 MiB take, and stands still meanwhile. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Levels of a row: MessagePack is written up to 100, of which the SDK's own envelope takes some. */
const MAX_DEPTH = 90;

const MEND = "a lower threshold (0 is every value) makes it an object";

/**
 * Refuses a row that would hang or kill the supervisor: InvalidArgument for half a character, for what is not JSON and
 * for deep nesting, TooLarge above 16 MiB.
 */
export function checkWire(row: unknown): void {
  new WireCheck().visit(row);
}

class WireCheck {
  readonly #steps: (string | number)[] = [];
  #bytes = 0;

  visit(value: unknown): void {
    if (typeof value === "string") this.#text(value);
    else if (typeof value === "object" && value !== null) this.#inside(value);
    else this.#scalar(value);
    if (this.#bytes > MAX_BYTES) throw failure("TooLarge", `the row has more than ${MAX_BYTES} bytes; ${MEND}`);
  }

  #inside(value: object): void {
    if (this.#steps.length === MAX_DEPTH) throw this.#refuse(`is nested more than ${MAX_DEPTH} deep; ${MEND}`);
    const isList = Array.isArray(value);
    if (!isList && !isPlain(value)) throw this.#refuse(`is a ${value.constructor?.name}, which is not JSON`);
    for (const [step, item] of isList ? value.entries() : Object.entries(value)) {
      this.#steps.push(step);
      if (typeof step === "string") this.#text(step);
      this.visit(item);
      this.#steps.pop();
    }
  }

  #text(text: string): void {
    if (!text.isWellFormed()) throw this.#refuse(`has half a character (a lone surrogate); ${MEND}`);
    this.#bytes += Buffer.byteLength(text, "utf8");
  }

  #scalar(value: unknown): void {
    this.#bytes += 1;
    const isJson = value === null || typeof value === "boolean" || Number.isFinite(value);
    if (!isJson) throw this.#refuse(`is ${typeof value === "number" ? value : typeof value}, which is not JSON`);
  }

  #refuse(why: string): StorageError {
    const place = this.#steps.map((step) => `[${JSON.stringify(step)}]`).join("");
    return invalid(`value${place.slice(0, 200)} ${why}`);
  }
}
