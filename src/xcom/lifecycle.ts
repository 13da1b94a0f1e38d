/** The rules by which a bucket lets retention classes expire, as each provider's own tools take and give them. */
import { failure } from "../errors.js";
import { providerOf, type StoragePath } from "../path.js";
import { asPath, prefixOf } from "./base.js";
import { refuse } from "./failures.js";
import { segmentOf } from "./retention-place.js";
import { checkClass } from "./retention-rules.js";

export type LifecycleProvider = "s3" | "gcs" | "azure";

export interface LifecycleOptions {
  /** The base path of the classes. */
  path: StoragePath | string;
  /** Whole days that the objects of each class live, by its name. */
  days: Readonly<Record<string, number>>;
  /** Days after which an upload that nobody finished is dropped. @default 7 */
  abortUploadsAfter?: number | undefined;
}

interface Expiry {
  name: string;
  prefix: string;
  days: number;
}

/**
 * The policy of a bucket, for `aws s3api put-bucket-lifecycle-configuration`,
 * `gcloud storage buckets update --lifecycle-file` or `az storage account management-policy create`. Azure drops
 * unfinished uploads after a week by itself and has no rule for it.
 */
export function lifecyclePolicy(options: LifecycleOptions): object {
  const path = asPath(options.path);
  const abort = options.abortUploadsAfter ?? 7;
  checkDays("abortUploadsAfter", abort);
  const classes = Object.entries(options.days).map(([name, days]) => expiryOf(path, name, days));
  if (classes.length === 0) refuse("name a class and its days");
  return WRITERS[lifecycleProvider(path)](path, classes, abort);
}

/** Whose rules hold for a path; Unsupported where there are none. */
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
        // In a bucket with versions expiring alone deletes nothing.
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
