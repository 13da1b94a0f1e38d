/** What must be at a key for a write to happen, and the mark by which such a write knows its own object again. */
import { randomUUID } from "node:crypto";
import type { Attempt, Seen } from "../../lost.js";

export interface Conditions {
  ifAbsent: boolean;
  ifMatch: string | undefined;
}

export function conditionHeaders({ ifAbsent, ifMatch }: Conditions): Record<string, string> {
  if (ifAbsent) return { "if-none-match": "*" };
  return ifMatch === undefined ? {} : { "if-match": ifMatch };
}

export function isConditional({ ifAbsent, ifMatch }: Conditions): boolean {
  return ifAbsent || ifMatch !== undefined;
}

/** A new mark for a write under a condition; other writes need none. */
export function nonceFor(conditions: Conditions): string | undefined {
  return isConditional(conditions) ? randomUUID() : undefined;
}

/** What is seen of an object when an answer was lost. */
export interface Marked extends Seen {
  nonce: string | undefined;
}

/** A write with `nonce`; `etagOf` tells the etag of an object made of these bytes, where it is made of them. */
export function attemptOf(
  { ifAbsent, ifMatch }: Conditions,
  nonce: string | undefined,
  since: number,
  etagOf: () => string | undefined,
): Attempt<Marked> {
  return {
    since,
    ifAbsent,
    ifMatch,
    isOurs(seen) {
      if (nonce !== undefined) return seen.nonce === nonce;
      const etag = etagOf();
      return etag !== undefined && seen.receipt.etag === etag;
    },
  };
}
