/** Text in lines. */
import { failure } from "../errors.js";

/** The lines of text that comes in pieces. TooLarge once one that has not ended has more than `max` characters. */
export class Lines {
  #text = "";
  #start = 0;
  #seen = 0;
  /** The number of the line that was handed out last. */
  at = 0;

  /** `name` is for messages. */
  constructor(
    readonly name: string,
    readonly max: number,
  ) {}

  push(text: string): void {
    this.#text = this.rest + text;
    this.#seen -= this.#start;
    this.#start = 0;
  }

  /** The next line without its LF; undefined until more is pushed. */
  next(): string | undefined {
    const end = this.#text.indexOf("\n", this.#seen);
    if (end < 0) return this.#wait();
    const line = this.#text.slice(this.#start, end);
    this.#start = end + 1;
    this.#seen = end + 1;
    this.at++;
    return line;
  }

  /** What follows the last LF. */
  get rest(): string {
    return this.#text.slice(this.#start);
  }

  #wait(): undefined {
    this.#seen = this.#text.length;
    if (this.#text.length - this.#start <= this.max) return;
    throw failure("TooLarge", `${this.name}: line ${this.at + 1} has more than ${this.max} characters`);
  }
}
