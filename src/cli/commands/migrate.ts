/** `migrate`. */
import { type Command, Option } from "commander";
import type { StoragePath } from "../../path.js";
import { type MigratedReference, type MigrateReport, migrate, type XComCompression } from "../../xcom/index.js";
import type { Cli, Session } from "../command.js";
import { bytes, jsonLine, messageOf, printable, put, putFailures, wrapped } from "../format.js";
import { pluralize, positive } from "../options.js";
import { openSources, type SourceOptions, withSources } from "../xcom/references.js";
import { XCOM_CODECS } from "../xcom/values.js";

export function addMigrate(cli: Cli, program: Command): void {
  const command = cli
    .add(program, {
      name: "migrate",
      summary: "move XComs to another base path, and the rows that name them",
      details:
        "Copies each object that a row names, compares the copy, and changes the row unless it was written meanwhile. " +
        "Old objects stay, for `stowage sweep`. Can be cut off and repeated at any time. With --refs only objects are " +
        "copied. --database has to be Postgres, by a login that may update its tables of XComs.",
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
    .addOption(new Option("--compression <codec>", "recode what has another codec").choices([...XCOM_CODECS, "none"]))
    .option("-n, --dry-run", "only count what would be done")
    .option("--list", "print each reference and the new one")
    .option("--concurrency <count>", "objects in parallel", positive, 16)
    .action(cli.run(run));
}

interface MigrateCliOptions extends SourceOptions {
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
  const { sources, close } = await openSources(session, options, { isRewriting: true });
  const hasRows = (options.database ?? options.rest) !== undefined;
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
      return migrate({ storage, from, to, sources, compression, dryRun, concurrency, ...told, signal });
    });
    await summed(session, report, { from, to, dryRun, hasRows });
  } catch (error) {
    if (stopped && stopped.references > 0) await summed(session, stopped, { from, to, dryRun, hasRows, stopped: true });
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
  /** Whether it ended early. */
  stopped?: true;
}

async function summed(session: Session, report: MigrateReport, { hasRows, ...done }: Summed): Promise<void> {
  const { stdout, stderr } = session.io;
  const { failures, ...counts } = report;
  if (report.failed + report.missing + report.changed > 0) session.exitCode = 1;
  const errors = failures.map(({ path, error }) => ({ path, error: messageOf(error) }));
  if (session.json) return session.say({ action: "migration", ...done, ...counts, failures: errors }, "");
  const lines = errors.map(({ path, error }) => `${path}: ${error}`);
  await putFailures(stderr, lines, report.failed);
  const next = nextStep(session, report, { ...done, hasRows });
  await put(stdout, `${sumsOf(report, done.dryRun)}\n\n${wrapped(stdout, 0, printable(next))}\n`);
}

function sumsOf(report: MigrateReport, dryRun: boolean): string {
  const { references, copied, present, rewritten, changed, missing, failed, elsewhere } = report;
  const parts = [
    pluralize(references, "reference"),
    `${pluralize(copied, "object")} ${dryRun ? "to copy" : "copied"}, ${bytes(report.bytes)}`,
    ...(present > 0 ? [`${present} already there`] : []),
    ...(dryRun ? [] : [`${pluralize(rewritten, "row")} changed`]),
    ...(changed > 0 ? [`${changed} written meanwhile`] : []),
    ...(missing > 0 ? [`${missing} missing`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(elsewhere > 0 ? [`${elsewhere} are elsewhere`] : []),
  ];
  return parts.join("; ");
}

function nextStep(
  { program }: Session,
  { references, changed, failed }: MigrateReport,
  done: Omit<Summed, "to">,
): string {
  if (done.stopped) return "It ended early. What is counted here is done; the same command again goes on.";
  if (done.dryRun)
    return "Nothing was done. Next: switch writers to the new path, let readers know both, then run without --dry-run.";
  if (references === 0 && done.hasRows)
    return `No row names ${done.from} any more. Next: ${program} sweep ${done.from}`;
  if (references === 0) return `No line of --refs names ${done.from}.`;
  if (changed > 0) return "Next: the same command again, for the rows that were written meanwhile.";
  if (failed > 0) return "Next: look at the failures, then the same command again.";
  return done.hasRows
    ? "Next: the same command again, until there are 0 references."
    : "Only objects were copied: --refs has no rows to change. --list prints the new references.";
}
