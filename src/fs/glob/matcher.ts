import { type Glyph, type Glyphs, SLASH } from "./pattern.js";

type Accepts = (code: number) => boolean;
/** What a state does: take one character and go on, stand for other states, or be the end. */
type State = { accepts: Accepts } | { forks: number[] } | { end: true };

/**
 * Whether texts match a tree as a whole. All states are followed side by side, so the time grows with the length of
 * the text times the length of the pattern, whatever they hold; there is no going back.
 */
export class Matcher {
  readonly #states: State[] = [];
  /** In which round a state was last entered, so that none is followed twice. */
  readonly #entered: Int32Array;
  #round = 0;

  constructor(glyphs: Glyphs) {
    this.#addAll(glyphs);
    this.#states.push({ end: true });
    this.#entered = new Int32Array(this.#states.length);
  }

  /** Whether `text` from `start` on matches. */
  matches(text: string, start = 0): boolean {
    this.#entered.fill(0);
    this.#round = 1;
    let states: number[] = [];
    let next: number[] = [];
    this.#enter(0, states);
    for (let at = start; at < text.length && states.length > 0; at++) {
      const code = text.codePointAt(at)!;
      if (code > 0xffff) at++;
      this.#step(states, code, next);
      [states, next] = [next, states];
    }
    return states.some((state) => "end" in this.#states[state]!);
  }

  /** Fills `next` with where `states` are after one more character. */
  #step(states: readonly number[], code: number, next: number[]): void {
    next.length = 0;
    this.#round++;
    for (const index of states) {
      const state = this.#states[index]!;
      if ("accepts" in state && state.accepts(code)) this.#enter(index + 1, next);
    }
  }

  /** Adds to `reached` the states that `index` stands for. */
  #enter(index: number, reached: number[]): void {
    if (this.#entered[index] === this.#round) return;
    this.#entered[index] = this.#round;
    const state = this.#states[index]!;
    if ("forks" in state) for (const fork of state.forks) this.#enter(fork, reached);
    else reached.push(index);
  }

  #addAll(glyphs: Glyphs): void {
    for (const glyph of glyphs) this.#add(glyph);
  }

  #add(glyph: Glyph): void {
    if (glyph.type === "choice") this.#addChoice(glyph.options);
    else if (glyph.type === "run") this.#addLoop(inSegment);
    else if (glyph.type === "deep") this.#addLoop(() => true);
    else this.#states.push({ accepts: acceptsOf(glyph) });
  }

  #addLoop(accepts: Accepts): void {
    const start = this.#states.length;
    this.#states.push({ forks: [start + 1, start + 3] }, { accepts }, { forks: [start] });
  }

  #addChoice(options: readonly Glyphs[]): void {
    const fork = this.#fork();
    const exits = options.map((option) => {
      fork.push(this.#states.length);
      this.#addAll(option);
      return this.#fork();
    });
    for (const exit of exits) exit.push(this.#states.length);
  }

  #fork(): number[] {
    const forks: number[] = [];
    this.#states.push({ forks });
    return forks;
  }
}

function inSegment(code: number): boolean {
  return code !== SLASH;
}

function acceptsOf(glyph: Exclude<Glyph, { type: "choice" | "run" | "deep" }>): Accepts {
  if (glyph.type === "char") return (code) => code === glyph.code;
  if (glyph.type === "any") return inSegment;
  const { ranges, negated } = glyph;
  return (code) => code !== SLASH && ranges.some(([first, last]) => code >= first && code <= last) !== negated;
}
