/** What must be at a key for a write to happen, and the mark by which such a write knows its own object again. */
import { randomUUID } from "node:crypto";

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
