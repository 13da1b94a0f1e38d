/** A bearer token that many requests share. */

/** A token as its issuer gives it. */
export interface AccessToken {
  token: string;
  /** When it ends, in milliseconds since 1970. */
  expiresAt: number;
}

/** A token is replaced this many milliseconds before it ends. */
const REFRESH_WINDOW_MS = 5 * 60_000;

/** Fetched once for all that wait, and again before it ends or when the service refuses it. */
export class CachedAccessToken {
  readonly #issue: (anew: boolean) => Promise<AccessToken>;
  #grant: AccessToken | undefined;
  #pending: Promise<string> | undefined;

  /** `issue` gets a token; with `anew` not the one that it may still keep. */
  constructor(issue: (anew: boolean) => Promise<AccessToken>) {
    this.#issue = issue;
  }

  /** The token, at once while it is good. */
  current(): string | Promise<string> {
    const { token, expiresAt } = this.#grant ?? { token: undefined, expiresAt: 0 };
    return token !== undefined && Date.now() < expiresAt - REFRESH_WINDOW_MS ? token : this.#fetch(false);
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
