/** A bearer token that many requests share. */

/** A token as its issuer gives it. */
export interface Grant {
  token: string;
  /** When it ends, in milliseconds since 1970. */
  until: number;
}

/** A token is replaced this many milliseconds before it ends. */
const EARLY = 5 * 60_000;

/** Fetched once for all that wait, and again before it ends or when the service refuses it. */
export class Token {
  readonly #issue: (anew: boolean) => Promise<Grant>;
  #grant: Grant | undefined;
  #pending: Promise<string> | undefined;

  /** `issue` gets a token; with `anew` not the one that it may still keep. */
  constructor(issue: (anew: boolean) => Promise<Grant>) {
    this.#issue = issue;
  }

  /** The token, at once while it is good. */
  current(): string | Promise<string> {
    const { token, until } = this.#grant ?? { token: undefined, until: 0 };
    return token !== undefined && Date.now() < until - EARLY ? token : this.#fetch(false);
  }

  /** Gets another one after `refused` was; whether there is another. */
  async renew(refused: string): Promise<boolean> {
    // Of many requests with one refused token, the first has it replaced for all.
    const { token = refused } = this.#grant ?? {};
    return token !== refused || (await this.#fetch(true)) !== refused;
  }

  #fetch(anew: boolean): Promise<string> {
    this.#pending ??= this.#ask(anew).finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  async #ask(anew: boolean): Promise<string> {
    this.#grant = await this.#issue(anew);
    return this.#grant.token;
  }
}
