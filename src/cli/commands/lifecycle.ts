/** `lifecycle print|check`. */
import { type Command, Option } from "commander";
import { invalid } from "../../errors.js";
import {
  type Expiring,
  type LifecycleProvider,
  lifecyclePolicy,
  lifecycleProvider,
  tooShort,
} from "../../xcom/index.js";
import type { Cli, Session } from "../command.js";
import { printable, put } from "../format.js";
import { classDays, parseCount, seconds, timeSpan } from "../options.js";
import { readPolicy } from "../xcom/policy.js";
import { pathOrBase } from "../xcom/values.js";

const WHERE = "base path of the classes; else the setting";
const CLASSES = "a retention class and the days that it lasts; may be given again";

export function addLifecycle(cli: Cli, program: Command): void {
  const lifecycle = cli.add(program, {
    name: "lifecycle",
    summary: "rules by which a bucket lets retention classes of XComs expire",
    examples: [["stowage lifecycle print s3://lake@bucket/xcom --class week=7", "the policy of a bucket"]],
  });
  addPrint(cli, lifecycle);
  addCheck(cli, lifecycle);
}

function addPrint(cli: Cli, lifecycle: Command): void {
  cli
    .add(lifecycle, {
      name: "print",
      summary: "print the policy of a bucket as JSON, for the provider's own command",
      details: "A bucket has one policy: add these rules to those that it has.",
      examples: [
        [
          "stowage lifecycle print s3://lake@bucket/xcom --class week=7 --class month=30 > policy.json",
          "make it, and give it to",
        ],
        [
          "aws s3api put-bucket-lifecycle-configuration --bucket bucket --lifecycle-configuration file://policy.json",
          "S3",
        ],
        ["gcloud storage buckets update gs://bucket --lifecycle-file=policy.json", "GCS"],
        ["az storage account management-policy create -n account -g group --policy @policy.json", "Azure"],
      ],
    })
    .argument("[path]", WHERE)
    .addOption(
      new Option("--provider <provider>", "provider (default: that of the path)").choices(["s3", "gcs", "azure"]),
    )
    .requiredOption("--class <name=days>", CLASSES, classDays)
    .option("--abort-uploads <days>", "days after which unfinished uploads are dropped, 7 when not given", parseCount)
    .action(cli.run(print));
}

function addCheck(cli: Cli, lifecycle: Command): void {
  cli
    .add(lifecycle, {
      name: "check",
      summary: "warn of classes and rules that let values expire before a run is over",
      examples: [
        ["stowage lifecycle check s3://lake@bucket/xcom --class week=7 --longest-run 3d", "what is planned"],
        [
          "aws s3api get-bucket-lifecycle-configuration --bucket bucket | stowage lifecycle check --policy - --longest-run 3d s3://lake@bucket/xcom",
          "what the bucket has",
        ],
      ],
    })
    .argument("[path]", WHERE)
    .requiredOption("--longest-run <time>", "how long a run takes at most: 90, 15m, 2h or 7d", seconds)
    .option("--class <name=days>", CLASSES, classDays)
    .option("--policy <file>", 'the policy as the provider prints it; "-" is stdin')
    .action(cli.run(check));
}

// Prints and checks bucket policies.

type Days = Record<string, number>;

export interface PrintOptions {
  provider?: LifecycleProvider;
  class: Days;
  abortUploads?: number;
}

/** Prints the policy; notes go to stderr, so that stdout can be piped to the provider's command. */
async function print(session: Session, text: string | undefined, options: PrintOptions): Promise<void> {
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

/** Warns of each rule that is shorter than the longest run; exits with 1 if there is one. */
async function check(session: Session, text: string | undefined, options: CheckOptions): Promise<void> {
  const { longestRun, class: days, policy } = options;
  const path = pathOrBase(session, text);
  if (!days && policy === undefined) throw invalid("name classes by --class, or a --policy");
  const planned = days ? tooShort(lifecyclePolicy({ path, days }), path, longestRun) : [];
  const standing = policy === undefined ? [] : tooShort(await readPolicy(session, policy), path, longestRun);
  const found = [...planned, ...standing];
  for (const rule of found) await session.say({ warning: "too short", ...rule, longestRun }, warning(rule, longestRun));
  if (found.length === 0) await session.say({ ok: true, longestRun }, `nothing expires within ${timeSpan(longestRun)}`);
  session.exitCode = found.length > 0 ? 1 : 0;
}

function warning({ name, prefix, days }: Expiring, longestRun: number): string {
  const when = days === 0 ? "at a time that has nothing to do with their age" : `after ${days} days`;
  const what = `warning: ${name}: objects below ${prefix || "the whole bucket"} expire ${when}`;
  return printable(`${what}, a run can take ${timeSpan(longestRun)}`);
}
