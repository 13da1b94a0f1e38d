/** Policies of buckets, printed and looked through. */
import { invalid } from "../../errors.js";
import { collect } from "../../fs/bytes.js";
import { type LifecycleProvider, lifecyclePolicy, lifecycleProvider } from "../../xcom/lifecycle.js";
import { type Expiring, tooShort } from "../../xcom/lifecycle-check.js";
import { duration, printable } from "../format.js";
import { input, put } from "../io.js";
import type { Session } from "../session.js";
import { pathOrBase } from "../xcom/place.js";

type Days = Record<string, number>;

export interface PrintOptions {
  provider?: LifecycleProvider;
  class: Days;
  abortUploads?: number;
}

/** Prints the policy; what it says besides goes to stderr, so that stdout can be given to the provider's command. */
export async function print(session: Session, text: string | undefined, options: PrintOptions): Promise<void> {
  const path = pathOrBase(session, text);
  const provider = lifecycleProvider(path);
  if (options.provider !== undefined && options.provider !== provider)
    throw invalid(`--provider ${options.provider} is not the provider of ${path}; leave it out`);
  const policy = lifecyclePolicy({ path, days: options.class, abortUploadsAfter: options.abortUploads });
  const { stdout, stderr } = session.io;
  await put(stdout, `${JSON.stringify(policy, null, session.json ? 0 : 2)}\n`);
  if (provider === "azure" && options.abortUploads !== undefined)
    await put(stderr, "stowage: Azure has no rule for unfinished uploads; it drops them after 7 days\n");
}

export interface CheckOptions {
  longestRun: number;
  class?: Days;
  policy?: string;
}

/** Warns of each rule that is shorter than the longest run; that there is one is the exit code 1. */
export async function check(session: Session, text: string | undefined, options: CheckOptions): Promise<void> {
  const { longestRun, class: days, policy } = options;
  const path = pathOrBase(session, text);
  if (!days && policy === undefined) throw invalid("name classes by --class, or a --policy");
  const planned = days ? tooShort(lifecyclePolicy({ path, days }), path, longestRun) : [];
  const standing = policy === undefined ? [] : tooShort(await readPolicy(session, policy), path, longestRun);
  const found = [...planned, ...standing];
  for (const rule of found) await session.say({ warning: "too short", ...rule, longestRun }, warning(rule, longestRun));
  if (found.length === 0) await session.say({ ok: true, longestRun }, `nothing expires within ${duration(longestRun)}`);
  session.exitCode = found.length > 0 ? 1 : 0;
}

function warning({ name, prefix, days }: Expiring, longestRun: number): string {
  const when = days === 0 ? "at a time that has nothing to do with their age" : `after ${days} days`;
  const what = `warning: ${name}: objects below ${prefix || "the whole bucket"} expire ${when}`;
  return printable(`${what}, a run can take ${duration(longestRun)}`);
}

async function readPolicy({ io }: Session, file: string): Promise<unknown> {
  const bytes = await collect(await input(io, file));
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw invalid(`${file === "-" ? "what comes in" : file} is not JSON`, { cause });
  }
}
