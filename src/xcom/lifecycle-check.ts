/** Whether a bucket's policy lets values expire before the run that needs them is over. */
import type { StoragePath } from "../path.js";
import { prefixOf } from "./base.js";
import { refuse } from "./failures.js";
import { type LifecycleProvider, lifecycleProvider } from "./lifecycle.js";

/** A rule that deletes objects. */
export interface Expiring {
  name: string;
  /** The keys that it is about begin so. */
  prefix: string;
  /** 0 for one that deletes on a fixed date, or that has conditions other than age. */
  days: number;
}

const DAY = 86_400;

/** The rules of a policy that delete objects at or below `path` before `longest` seconds have passed. */
export function tooShort(policy: unknown, path: StoragePath, longest: number): Expiring[] {
  const base = prefixOf(path);
  return READERS[lifecycleProvider(path)](policy, path).filter(
    ({ prefix, days }) => (base.startsWith(prefix) || prefix.startsWith(base)) && days * DAY < longest,
  );
}

type Reader = (policy: unknown, path: StoragePath) => Expiring[];

/** What is looked at of a rule of S3. */
interface S3Rule {
  ID?: string;
  Status?: string;
  Prefix?: string;
  Filter?: { Prefix?: string; And?: { Prefix?: string } };
  Expiration?: { Days?: number; Date?: string };
}

/** Of GCS. */
interface GcsRule {
  action?: { type?: string };
  condition?: { age?: number; isLive?: boolean; matchesPrefix?: string[]; [more: string]: unknown };
}

/** Of Azure. */
interface AzureRule {
  name?: string;
  enabled?: boolean;
  definition?: {
    actions?: { baseBlob?: { delete?: Record<string, number> } };
    filters?: { prefixMatch?: string[] };
  };
}

const READERS: Readonly<Record<LifecycleProvider, Reader>> = {
  s3: (policy) => rulesIn<S3Rule>(policy, "Rules").flatMap(ofS3),
  gcs: (policy) => rulesIn<GcsRule>(inside(policy, "lifecycle"), "rule").flatMap(ofGcs),
  azure: (policy, { bucket }) =>
    rulesIn<AzureRule>(inside(policy, "policy"), "rules").flatMap((rule) => ofAzure(rule, `${bucket}/`)),
};

function ofS3({ ID = "without ID", Status, Prefix, Filter, Expiration }: S3Rule): Expiring[] {
  // One without a time removes the markers that deletes leave, and no object.
  const expires = Expiration?.Days !== undefined || Expiration?.Date !== undefined;
  if (Status !== "Enabled" || !expires) return [];
  const prefix = Filter?.Prefix ?? Filter?.And?.Prefix ?? Prefix ?? "";
  return [{ name: ID, prefix, days: Expiration.Days ?? 0 }];
}

const OF_OLD_VERSIONS = ["numNewerVersions", "daysSinceNoncurrentTime", "noncurrentTimeBefore"];

function ofGcs({ action, condition = {} }: GcsRule): Expiring[] {
  const old = condition.isLive === false || OF_OLD_VERSIONS.some((name) => condition[name] !== undefined);
  if (action?.type !== "Delete" || old) return [];
  const days = condition.age ?? 0;
  return anyOf(condition.matchesPrefix).map((prefix) => ({ name: `Delete ${prefix || "everything"}`, prefix, days }));
}

function ofAzure({ name = "without name", enabled, definition }: AzureRule, bucket: string): Expiring[] {
  const times = Object.values(definition?.actions?.baseBlob?.delete ?? {});
  if (enabled === false || times.length === 0) return [];
  return anyOf(definition?.filters?.prefixMatch)
    .filter((prefix) => bucket.startsWith(prefix) || prefix.startsWith(bucket))
    .map((prefix) => ({ name, prefix: prefix.slice(bucket.length), days: Math.min(...times) }));
}

function inside(policy: unknown, name: string): unknown {
  return (policy as Record<string, unknown> | null)?.[name] ?? policy;
}

function rulesIn<T>(policy: unknown, name: string): T[] {
  const list = (policy as Record<string, T[]> | null)?.[name];
  return Array.isArray(list)
    ? list
    : refuse(`the policy has no list ${JSON.stringify(name)}; is it another provider's?`);
}

/** The prefixes of a rule; without any it is about everything. */
function anyOf(prefixes: readonly string[] | undefined): readonly string[] {
  return prefixes && prefixes.length > 0 ? prefixes : [""];
}
