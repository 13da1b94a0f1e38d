/** Expiring credentials of any cloud, shared by many requests. */

/** A bearer token as its issuer returns it. */
export interface AccessToken {
  token: string;
  /** Expiry in milliseconds since 1970. */
  expiresAt: number;
}

/** Milliseconds before expiry at which credentials are replaced. */
const REFRESH_WINDOW_MS = 5 * 60_000;
/** Milliseconds between a failed refresh and the next one, while the credentials are still valid. */
const REFRESH_PAUSE_MS = 10_000;

interface Held<T> {
  value: T;
  expiresAt: number;
  fetchedAt: number;
}

/** Fetches credentials once for all waiting requests, and again before they expire or when the service refuses them. */
export class CachedCredentials<T> {
  readonly #fetchNew: (forceRefresh: boolean) => Promise<T>;
  readonly #expiresAt: (value: T) => number;
  #held: Held<T> | undefined;
  #pending: Promise<T> | undefined;
  #nextRefresh = 0;

  /** `fetchNew` gets credentials, with `forceRefresh` no cached ones; `expiresAt` returns their expiry. */
  constructor(fetchNew: (forceRefresh: boolean) => Promise<T>, expiresAt: (value: T) => number) {
    this.#fetchNew = fetchNew;
    this.#expiresAt = expiresAt;
  }

  /** Returns the credentials, synchronously while valid. Keeps using valid ones when a refresh fails. */
  current(): T | Promise<T> {
    const held = this.#held;
    if (!held) return this.#fetch(false);
    const now = Date.now();
    const left = held.expiresAt - now;
    if (left > REFRESH_WINDOW_MS || (left > 0 && now < this.#nextRefresh)) return held.value;
    return this.#fetch(false).catch((error: unknown) => {
      if (Date.now() >= held.expiresAt) throw error;
      this.#nextRefresh = Date.now() + REFRESH_PAUSE_MS;
      return held.value;
    });
  }

  /** Replaces refused credentials, once for all requests that used them. Returns whether there are others now. */
  async renew(wasRefused: (value: T, fetchedAt: number) => boolean): Promise<boolean> {
    const held = this.#held;
    if (held && !wasRefused(held.value, held.fetchedAt)) return true;
    return !wasRefused(await this.#fetch(true), Date.now());
  }

  #fetch(forceRefresh: boolean): Promise<T> {
    this.#pending ??= this.#ask(forceRefresh).finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  async #ask(forceRefresh: boolean): Promise<T> {
    const value = await this.#fetchNew(forceRefresh);
    this.#held = { value, expiresAt: this.#expiresAt(value), fetchedAt: Date.now() };
    return value;
  }
}

/** The same for bearer tokens. */
export class CachedAccessToken {
  readonly #cache: CachedCredentials<AccessToken>;

  constructor(fetchToken: (forceRefresh: boolean) => Promise<AccessToken>) {
    this.#cache = new CachedCredentials(fetchToken, ({ expiresAt }) => expiresAt);
  }

  current(): string | Promise<string> {
    const found = this.#cache.current();
    return found instanceof Promise ? found.then(({ token }) => token) : found.token;
  }

  /** Replaces the token `refused`; returns whether there is another. */
  renew(refused: string): Promise<boolean> {
    return this.#cache.renew(({ token }) => token === refused);
  }
}
