/** The rules by which a bucket expires retention classes, in the format of each provider's own tools. */

import { failure } from "../../errors.js";
import { providerOf, type StoragePath } from "../../path.js";
import { refuse } from "../errors.js";
import { asPath, prefixOf } from "../keys/base.js";
import { checkClass, segmentOf } from "./retention-rules.js";

export type LifecycleProvider = "s3" | "gcs" | "azure";

export interface LifecycleOptions {
  /** The base path of the classes. */
  path: StoragePath | string;
  /** Lifetime in whole days of each class's objects, by class name. */
  days: Readonly<Record<string, number>>;
  /** Days after which unfinished uploads are dropped. @default 7 */
  abortUploadsAfter?: number | undefined;
}

interface Expiry {
  name: string;
  prefix: string;
  days: number;
}

/**
 * Returns a bucket's policy, for `aws s3api put-bucket-lifecycle-configuration`, `gcloud storage buckets update
 * --lifecycle-file` or `az storage account management-policy create`. Azure drops unfinished uploads after a week by
 * itself and has no rule for it.
 */
export function lifecyclePolicy(options: LifecycleOptions): object {
  const path = asPath(options.path);
  const abort = options.abortUploadsAfter ?? 7;
  checkDays("abortUploadsAfter", abort);
  const classes = Object.entries(options.days).map(([name, days]) => expiryOf(path, name, days));
  if (classes.length === 0) refuse("name a class and its days");
  return WRITERS[lifecycleProvider(path)](path, classes, abort);
}

/** Returns the provider whose rules apply to a path; throws Unsupported if there is none. */
export function lifecycleProvider({ scheme }: StoragePath): LifecycleProvider {
  const provider = providerOf(scheme);
  if (provider === "s3" || provider === "azure") return provider;
  if (provider === "gs") return "gcs";
  throw failure("Unsupported", `${scheme}:// has no rules by which objects expire; delete them by a job of your own`);
}

function expiryOf(path: StoragePath, name: string, days: number): Expiry {
  checkDays(`the class ${name}`, days);
  return { name, prefix: `${prefixOf(path)}${segmentOf(checkClass(name))}/`, days };
}

function checkDays(what: string, days: number): void {
  if (!(Number.isSafeInteger(days) && days >= 1 && days <= 36_500)) refuse(`${what} needs whole days, 1 or more`);
}

type Writer = (path: StoragePath, classes: readonly Expiry[], abort: number) => object;

const WRITERS: Readonly<Record<LifecycleProvider, Writer>> = {
  s3: (path, classes, abort) => ({
    Rules: [
      ...classes.map(({ name, prefix, days }) => ({
        ID: `stowage-${name}`,
        Status: "Enabled",
        Filter: { Prefix: prefix },
        Expiration: { Days: days },
        // In a versioned bucket, expiration alone deletes nothing.
        NoncurrentVersionExpiration: { NoncurrentDays: 1 },
      })),
      {
        ID: "stowage-unfinished-uploads",
        Status: "Enabled",
        Filter: { Prefix: prefixOf(path) },
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: abort },
      },
    ],
  }),
  gcs: (path, classes, abort) => ({
    rule: [
      ...classes.map(({ prefix, days }) => ({
        action: { type: "Delete" },
        condition: { age: days, matchesPrefix: [prefix] },
      })),
      {
        action: { type: "AbortIncompleteMultipartUpload" },
        condition: { age: abort, ...(path.key === "" ? {} : { matchesPrefix: [prefixOf(path)] }) },
      },
    ],
  }),
  azure: ({ bucket }, classes) => ({
    rules: classes.map(({ name, prefix, days }) => ({
      enabled: true,
      name: `stowage-${name}`,
      type: "Lifecycle",
      definition: {
        actions: {
          baseBlob: { delete: { daysAfterCreationGreaterThan: days } },
          snapshot: { delete: { daysAfterCreationGreaterThan: days } },
          version: { delete: { daysAfterCreationGreaterThan: days } },
        },
        filters: { blobTypes: ["blockBlob"], prefixMatch: [`${bucket}/${prefix}`] },
      },
    })),
  }),
};

// Whether a bucket's policy expires values before the run that needs them ends.

/** A rule that deletes objects, or moves them to a storage class from which they are not read at once. */
export interface Expiring {
  name: string;
  /** The prefix of the keys that the rule covers. */
  prefix: string;
  /** 0 for a rule with a fixed date or with conditions other than age. */
  days: number;
}

const DAY = 86_400;

/** Returns the policy's rules that delete or archive objects at or below `path` before `longest` seconds have passed. */
export function tooShort(policy: unknown, path: StoragePath, longest: number): Expiring[] {
  return expiringRules(policy, path).filter(({ days }) => days * DAY < longest);
}

/** Returns all rules of the policy that delete or archive objects at or below `path`. */
export function expiringRules(policy: unknown, path: StoragePath): Expiring[] {
  const base = prefixOf(path);
  return READERS[lifecycleProvider(path)](policy, path).filter(
    ({ prefix }) => base.startsWith(prefix) || prefix.startsWith(base),
  );
}

type Reader = (policy: unknown, path: StoragePath) => Expiring[];

/** The part of an S3 rule that we check. */
interface S3Rule {
  ID?: string;
  Status?: string;
  Prefix?: string;
  Filter?: { Prefix?: string; And?: { Prefix?: string } };
  Expiration?: { Days?: number; Date?: string };
  Transitions?: { Days?: number; Date?: string; StorageClass?: string }[];
}

/** The part of a GCS rule that we check. */
interface GcsRule {
  action?: { type?: string };
  condition?: { age?: number; isLive?: boolean; matchesPrefix?: string[]; [more: string]: unknown };
}

/** The part of an Azure rule that we check. */
interface AzureRule {
  name?: string;
  enabled?: boolean;
  definition?: {
    actions?: { baseBlob?: { delete?: Record<string, number>; tierToArchive?: Record<string, number> } };
    filters?: { prefixMatch?: string[] };
  };
}

const READERS: Readonly<Record<LifecycleProvider, Reader>> = {
  s3: (policy) => rulesIn<S3Rule>(policy, "Rules").flatMap(ofS3),
  gcs: (policy) => rulesIn<GcsRule>(inside(policy, "lifecycle"), "rule").flatMap(ofGcs),
  azure: (policy, { bucket }) =>
    rulesIn<AzureRule>(inside(policy, "policy"), "rules").flatMap((rule) => ofAzure(rule, `${bucket}/`)),
};

/** The classes whose objects have to be restored before they are read; those of GCS are all read at once. */
const ARCHIVES = ["GLACIER", "DEEP_ARCHIVE"];

function ofS3({ ID = "without ID", Status, Prefix, Filter, Expiration, Transitions = [] }: S3Rule): Expiring[] {
  const archiving = Transitions.filter(({ StorageClass = "" }) => ARCHIVES.includes(StorageClass));
  // A rule without a time removes delete markers, not objects.
  const timed = [Expiration ?? {}, ...archiving].filter(
    ({ Days, Date: date }) => Days !== undefined || date !== undefined,
  );
  if (Status !== "Enabled") return [];
  const prefix = Filter?.Prefix ?? Filter?.And?.Prefix ?? Prefix ?? "";
  return timed.map(({ Days = 0 }) => ({ name: ID, prefix, days: Days }));
}

const OF_OLD_VERSIONS = ["numNewerVersions", "daysSinceNoncurrentTime", "noncurrentTimeBefore"];

function ofGcs({ action, condition = {} }: GcsRule): Expiring[] {
  const old = condition.isLive === false || OF_OLD_VERSIONS.some((name) => condition[name] !== undefined);
  if (action?.type !== "Delete" || old) return [];
  const days = condition.age ?? 0;
  return anyOf(condition.matchesPrefix).map((prefix) => ({ name: `Delete ${prefix || "everything"}`, prefix, days }));
}

function ofAzure({ name = "without name", enabled, definition }: AzureRule, bucket: string): Expiring[] {
  const { delete: deleting = {}, tierToArchive = {} } = definition?.actions?.baseBlob ?? {};
  const times = [...Object.values(deleting), ...Object.values(tierToArchive)];
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

/** Returns the prefixes of a rule; a rule without any covers everything. */
function anyOf(prefixes: readonly string[] | undefined): readonly string[] {
  return prefixes && prefixes.length > 0 ? prefixes : [""];
}
