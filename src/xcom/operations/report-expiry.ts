/** What the rules of a bucket delete next. */
import type { StoragePath } from "../../path.js";
import { refuse } from "../errors.js";
import { prefixOf } from "../keys/base.js";
import { type Expiring, expiringRules } from "../layers/lifecycle.js";
import { checkClass, segmentOf } from "../layers/retention-rules.js";
import { addTo, emptySum, type ReportExpiry, type ReportSum } from "./report-data.js";

export const DAY_MS = 86_400_000;

export interface ExpiryOptions {
  /** Lifetime in whole days of retention classes, as `lifecyclePolicy` takes it. */
  days?: Readonly<Record<string, number>> | undefined;
  /** The bucket's policy, as its provider prints it. */
  policy?: unknown;
}

/** Counts objects by the rule that deletes them first. */
export class Expiries {
  readonly #rules: readonly ReportExpiry[];
  readonly #now: number;

  constructor(base: StoragePath, { days = {}, policy }: ExpiryOptions, isCompared: boolean, now: number) {
    const classes = Object.entries(days).map(([name, count]) => classRule(base, name, count));
    const rules = policy === undefined ? [] : expiringRules(policy, base);
    this.#now = now;
    this.#rules = [...classes, ...rules].map(({ name, prefix, days: count }) => ({
      ...{ name, prefix, days: count },
      overdue: emptySum(),
      withinDay: emptySum(),
      withinWeek: emptySum(),
      withinMonth: emptySum(),
      later: emptySum(),
      stillReferenced: isCompared ? emptySum() : undefined,
    }));
  }

  /** `key` is the whole key. */
  add(key: string, bytes: number, modified: number | undefined): void {
    const rule = this.#ruleOf(key);
    if (rule && modified !== undefined) addTo(rule[this.#bandOf(rule, modified)], bytes);
  }

  /** Counts an object with a reference, if it goes within a week. */
  addReferenced(key: string, bytes: number, modified: number): void {
    const rule = this.#ruleOf(key);
    if (!rule?.stillReferenced) return;
    const band = this.#bandOf(rule, modified);
    if (band !== "withinMonth" && band !== "later") addTo(rule.stillReferenced, bytes);
  }

  list(): ReportExpiry[] {
    return [...this.#rules];
  }

  /** The rule of several with the shortest time. */
  #ruleOf(key: string): ReportExpiry | undefined {
    let found: ReportExpiry | undefined;
    for (const rule of this.#rules)
      if (rule.days > 0 && key.startsWith(rule.prefix) && (!found || rule.days < found.days)) found = rule;
    return found;
  }

  #bandOf({ days }: ReportExpiry, modified: number): Band {
    const left = modified + days * DAY_MS - this.#now;
    return BANDS.find(([, most]) => left <= most * DAY_MS)?.[0] ?? "later";
  }
}

type Band = { [name in keyof ReportExpiry]: ReportExpiry[name] extends ReportSum ? name : never }[keyof ReportExpiry];

const BANDS: readonly (readonly [Band, days: number])[] = [
  ["overdue", 0],
  ["withinDay", 1],
  ["withinWeek", 7],
  ["withinMonth", 30],
];

function classRule(base: StoragePath, name: string, days: number): Expiring {
  if (!(Number.isSafeInteger(days) && days >= 1)) refuse(`days of the class ${name} must be whole days, 1 or more`);
  return { name, prefix: `${prefixOf(base)}${segmentOf(checkClass(name))}/`, days };
}
