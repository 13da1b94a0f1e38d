import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type AccessToken,
  CachedAccessToken,
  CachedCredentials,
} from "../../../../src/fs/driver/cached-credentials.js";

const MINUTE = 60_000;

/** An issuer of tokens that last an hour, which can be made to fail. */
class Issuer {
  asked: boolean[] = [];
  failing: Error | undefined;
  lasts = 60 * MINUTE;

  readonly fetch = async (forceRefresh: boolean): Promise<AccessToken> => {
    this.asked.push(forceRefresh);
    await Promise.resolve();
    if (this.failing) throw this.failing;
    return { token: `T${this.asked.length}`, expiresAt: Date.now() + this.lasts };
  };
}

describe("credentials that end", () => {
  let issuer: Issuer;
  let token: CachedAccessToken;
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_700_000_000_000 });
    issuer = new Issuer();
    token = new CachedAccessToken(issuer.fetch);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("are fetched once for all that wait, and given at once afterwards", async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => token.current()));
    expect(new Set(all)).toEqual(new Set(["T1"]));
    expect(token.current()).toBe("T1");
    expect(issuer.asked).toEqual([false]);
  });

  it("are replaced five minutes before their end", async () => {
    await token.current();
    vi.advanceTimersByTime(54 * MINUTE);
    expect(token.current()).toBe("T1");
    vi.advanceTimersByTime(MINUTE);
    expect(await token.current()).toBe("T2");
  });

  it("are used while they hold when the issuer fails, which is not asked for each request", async () => {
    await token.current();
    issuer.failing = new Error("the issuer is down");
    vi.advanceTimersByTime(56 * MINUTE);
    const all = await Promise.all(Array.from({ length: 20 }, () => token.current()));
    expect(new Set(all)).toEqual(new Set(["T1"]));
    expect(token.current()).toBe("T1");
    expect(issuer.asked).toHaveLength(2);
    vi.advanceTimersByTime(11_000);
    expect(await token.current()).toBe("T1");
    expect(issuer.asked).toHaveLength(3);
    issuer.failing = undefined;
    vi.advanceTimersByTime(11_000);
    expect(await token.current()).toBe("T4");
  });

  it("fail with the issuer's error when they have ended", async () => {
    await token.current();
    issuer.failing = new Error("the issuer is down");
    vi.advanceTimersByTime(60 * MINUTE);
    await expect(token.current()).rejects.toThrow("the issuer is down");
    issuer.failing = undefined;
    expect(await token.current()).toBe("T3");
  });

  it("that are refused are replaced once for all, with what the issuer keeps left out", async () => {
    await token.current();
    expect(await Promise.all([token.renew("T1"), token.renew("T1")])).toEqual([true, true]);
    expect(await token.renew("T1")).toBe(true);
    expect(issuer.asked).toEqual([false, true]);
    expect(token.current()).toBe("T2");
  });

  it("that are refused are not replaced by the same ones", async () => {
    const same = new CachedAccessToken(async () => ({ token: "T", expiresAt: Date.now() + 60 * MINUTE }));
    await same.current();
    expect(await same.renew("T")).toBe(false);
  });

  it("that never end are fetched once", async () => {
    let asked = 0;
    const keys = new CachedCredentials(
      async () => ++asked,
      () => Number.POSITIVE_INFINITY,
    );
    await keys.current();
    vi.advanceTimersByTime(365 * 24 * 60 * MINUTE);
    expect(keys.current()).toBe(1);
  });
});
