/** `migrate`. */
import { type Command, Option } from "commander";
import type { StoragePath } from "../../path.js";
import { type MigratedReference, type MigrateReport, migrate, type XComCompression } from "../../xcom/index.js";
import type { Cli, Session } from "../command.js";
import { bytes, jsonLine, messageOf, printable, put, putFailures, wrapped } from "../format.js";
import { namesOption, pluralize, positive } from "../options.js";
import { openSources, type SourceOptions, withSources } from "../xcom/references.js";
import { namesOf, XCOM_CODECS } from "../xcom/values.js";

export function addMigrate(cli: Cli, program: Command): void {
  const command = cli
    .add(program, {
      name: "migrate",
      summary: "move XComs to another base path, and the rows that name them",
      details:
        "Copies each object that a row names, compares the copy, and changes the row unless it was written meanwhile. " +
        "Old objects stay, for `stowage sweep`. Can be cut off and repeated at any time. With --refs only objects are " +
        "copied. --database has to be Postgres, by a login that may update its tables of XComs. Exits with 1 while rows " +
        "stay at FROM whose object is not missing.",
      examples: [
        ["stowage migrate s3://lake@old/xcom gs://lake@new/xcom --database --dry-run", "what would move"],
        ["stowage migrate s3://lake@old/xcom gs://lake@new/xcom --database", "do it, again until nothing is left"],
        [
          "stowage xcom ls --refs s3://lake@old/xcom | stowage migrate s3://lake@old/xcom gs://lake@new/xcom --refs -",
          "objects alone",
        ],
      ],
    })
    .argument("<from>", "base path that rows name now")
    .argument("<to>", "new base path");
  withSources(command)
    .addOption(namesOption())
    .addOption(new Option("--compression <codec>", "recode what has another codec").choices([...XCOM_CODECS, "none"]))
    .option("-n, --dry-run", "only count what would be done")
    .option("--list", "print each reference and the new one")
    .option("--concurrency <count>", "objects in parallel", positive, 16)
    .action(cli.run(run));
}

interface MigrateCliOptions extends SourceOptions {
  as?: string[];
  compression?: XComCompression | "none";
  dryRun?: boolean;
  list?: boolean;
  concurrency: number;
}

async function run(session: Session, fromText: string, toText: string, options: MigrateCliOptions): Promise<void> {
  const { storage, signal, json } = session;
  const { dryRun = false, list = false, concurrency, compression: codec } = options;
  const compression = codec === "none" ? null : codec;
  const [from, to] = [session.path(fromText), session.path(toText)];
  const names = namesOf(session, options.as);
  const { sources, close } = await openSources(session, options, { isRewriting: true });
  const hasRows = (options.database ?? options.rest) !== undefined;
  const done = { from, to, dryRun, hasRows, isCurrent: options.database === undefined };
  let stopped: MigrateReport | undefined;
  const onStopped = (report: MigrateReport) => {
    stopped = report;
  };
  try {
    const report = await session.watched(({ at: onProgress, clear }) => {
      const tell = (one: MigratedReference) => {
        clear();
        return printed(session, one);
      };
      const onMigrated = json || list ? tell : undefined;
      const told = { onMigrated, onStopped, onProgress };
      return migrate({ storage, from, to, sources, ...names, compression, dryRun, concurrency, ...told, signal });
    });
    await summed(session, report, done);
  } catch (error) {
    if (stopped && stopped.references > 0) await summed(session, stopped, { ...done, stopped: true });
    throw error;
  } finally {
    await close();
  }
}

function printed({ io: { stdout }, json }: Session, moved: MigratedReference): Promise<void> {
  if (json) return jsonLine(stdout, { action: "migrated", ...moved });
  return put(stdout, `${printable(moved.from)}\t${printable(moved.to)}\n`);
}

interface Summed {
  from: StoragePath;
  to: StoragePath;
  dryRun: boolean;
  hasRows: boolean;
  /** Whether these are the rows of current attempts alone, as the REST API has them. */
  isCurrent: boolean;
  /** Whether it ended early. */
  stopped?: true;
}

async function summed(session: Session, report: MigrateReport, given: Summed): Promise<void> {
  const { hasRows: _, isCurrent: __, ...done } = given;
  const { stdout, stderr } = session.io;
  const { failures, ...counts } = report;
  // A row whose object is missing is the business of fsck: no run would ever end with 0.
  if (report.failed + report.unproven + report.changed + report.otherNames > 0) session.exitCode = 1;
  const errors = failures.map(({ path, error }) => ({ path, error: messageOf(error) }));
  if (session.json) return session.say({ action: "migration", ...done, ...counts, failures: errors }, "");
  const lines = errors.map(({ path, error }) => `${path}: ${error}`);
  await putFailures(stderr, lines, report.failed);
  const next = nextStep(session, report, given);
  await put(stdout, `${sumsOf(report, done.dryRun)}\n\n${wrapped(stdout, 0, printable(next))}\n`);
}

function sumsOf(report: MigrateReport, dryRun: boolean): string {
  const { references, copied, present, rewritten, changed, missing, unproven, failed, elsewhere, otherNames } = report;
  const parts = [
    pluralize(references, "reference"),
    `${pluralize(copied, "object")} ${dryRun ? "to copy" : "copied"}, ${bytes(report.bytes)}`,
    ...(present > 0 ? [`${present} already there`] : []),
    ...(dryRun ? [] : [`${pluralize(rewritten, "row")} changed`]),
    ...(changed > 0 ? [`${changed} written meanwhile`] : []),
    ...(missing > 0 ? [`${missing} missing`] : []),
    ...(unproven > 0 ? [`${unproven} missing, with an object at the new place`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(otherNames > 0 ? [`${otherNames} by other names`] : []),
    ...(elsewhere > 0 ? [`${elsewhere} are elsewhere`] : []),
  ];
  return parts.join("; ");
}

function nextStep({ program }: Session, report: MigrateReport, done: Summed): string {
  if (done.stopped) return "It ended early. What is counted here is done; the same command again goes on.";
  const { from, to, dryRun, hasRows } = done;
  const stays = whatStays(program, report, done);
  if (dryRun) {
    const next = "switch writers to the new path, let readers know both, then run without --dry-run";
    return [`Nothing was done. Next: ${next}.`, ...stays].join(" ");
  }
  const { references, otherNames, changed, missing, unproven, failed } = report;
  if (changed > 0) stays.push("Next: the same command again, for the rows that were written meanwhile.");
  else if (failed > 0) stays.push("Next: look at the failures, then the same command again.");
  if (changed + failed + unproven + otherNames > 0) return stays.join(" ");
  if (!hasRows && references > missing)
    stays.push("Only objects were copied: --refs has no rows to change. --list prints the new references.");
  else if (!hasRows) stays.push(`No line of --refs names ${missing > 0 ? "an object below " : ""}${from}.`);
  else if (references > missing)
    stays.push(`Next: the same command again, until there are ${missing > 0 ? "only the missing" : "0 references"}.`);
  else
    stays.push(
      `No ${missing > 0 ? "other " : ""}row${done.isCurrent ? " of a current attempt" : ""} names ${from} any more. Next: ${program} sweep ${from} --database ` +
        `--max-share 1, since all objects there may go, then with --trash. Replicas of it: with --as ${from} --as ${to}.`,
    );
  return stays.join(" ");
}

/** Returns what keeps rows at the old place whatever is repeated, and what to do. */
function whatStays(program: string, report: MigrateReport, { from, to }: Summed): string[] {
  const { otherNames, missing, unproven } = report;
  const fsck = `${program} fsck ${from} --database`;
  return [
    ...(otherNames > 0
      ? [
          `${pluralize(otherNames, "text")} ${otherNames === 1 ? "names" : "name"} an object below ${from} otherwise and ` +
            `${otherNames === 1 ? "stays" : "stay"}: give the path of another connection or scheme, or an alias, as --as; ` +
            "inside other text, a list or a pickle, nothing is changed, and a sweep keeps the object.",
        ]
      : []),
    ...(unproven > 0
      ? [
          `${pluralize(unproven, "object")} ${unproven === 1 ? "is" : "are"} below ${to} alone, and nothing proves what ` +
            `was below ${from}: \`${fsck}\` lists these rows. Copy what is right back, for the next run, or clear the row.`,
        ]
      : []),
    ...(missing > 0
      ? [
          `${pluralize(missing, "reference")} ${missing === 1 ? "leads" : "lead"} to no object, which another run does ` +
            `not change: \`${fsck}\` lists them; clear their rows, or leave them.`,
        ]
      : []),
  ];
}
