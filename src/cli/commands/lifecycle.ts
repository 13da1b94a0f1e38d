/** `lifecycle print|check`. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Cli } from "../cli.js";
import { check, print } from "../lifecycle/policy.js";
import { seconds, whole } from "../options.js";

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
    .addOption(new Option("--provider <provider>", "whose; the path tells it too").choices(["s3", "gcs", "azure"]))
    .requiredOption("--class <name=days>", CLASSES, classDays)
    .option("--abort-uploads <days>", "days after which unfinished uploads are dropped, 7 when not given", whole)
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

function classDays(text: string, before: Record<string, number> = {}): Record<string, number> {
  const [, name, days] = /^([^=]+)=(\d{1,5})$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError("It must be a name and whole days, such as week=7.");
  if (name in before) throw new InvalidArgumentError(`The class ${name} is given twice.`);
  return { ...before, [name]: Number(days) };
}
