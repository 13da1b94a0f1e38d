/** `sweep`. */
import { type Command, InvalidArgumentError } from "commander";
import { failure, invalid } from "../../errors.js";
import type { StoragePath } from "../../path.js";
import type { ObjectLayout } from "../../references.js";
import {
  type SweepReport,
  type SweepShard,
  type SweptObject,
  sweep,
  type UndoSweepReport,
  undoSweep,
} from "../../xcom/index.js";
import type { Cli, Session } from "../command.js";
import {
  bytes,
  grouped,
  jsonLine,
  messageOf,
  moment,
  printable,
  put,
  putFailures,
  styled,
  wrapped,
} from "../format.js";
import { baseOption, graceOption, graceSpan, namesOption, pluralize, positive, share, timeSpan } from "../options.js";
import {
  hasNone,
  layoutOf,
  NOTHING_YET,
  openSources,
  refreshOption,
  type SourceOptions,
  withClaims,
  withSources,
} from "../xcom/references.js";
import { baseOf, namesOf } from "../xcom/values.js";

export function addSweep(cli: Cli, program: Command): void {
  const command = cli
    .add(program, {
      name: "sweep",
      summary: "find and delete objects of XComs, or of claims, that no row refers to",
      details:
        "Lists the objects below PATH, then reads all references, and prints sums; nothing is removed without --delete " +
        "or --trash. Objects younger than the grace stay, as do names without one of Airflow's layouts. Exits " +
        "with 1 if something could not be removed.",
      examples: [
        ["stowage sweep s3://lake@bucket/xcom --database postgresql://reader@host/airflow", "what could go"],
        ["stowage sweep s3://lake@bucket/xcom --database --trash s3://lake@bucket/trash", "move it away"],
        ["stowage sweep s3://lake@bucket/xcom --trash s3://lake@bucket/trash --undo", "and back"],
        ["stowage sweep s3://lake@bucket/xcom --database --delete --shard 3/16", "one of 16 jobs"],
        [
          "stowage sweep s3://lake@bucket/dbos --dbos --refresh-after 12h --trash s3://lake@bucket/trash",
          "values of DBOS",
        ],
      ],
    })
    .argument("<path>", "base path of the XComs, or a folder below it");
  refreshOption(withClaims(withSources(command)))
    .option("-n, --dry-run", "print the sums only, as without --delete and --trash")
    .option("--delete", "delete what nothing refers to")
    .option("--trash <path>", "instead move it below this path, where it keeps its place")
    .option("--undo", "move everything in the trash back; never replaces an object")
    .addOption(graceOption())
    .option("--force", "allow a grace below an hour, and add none to it")
    .option("--max-share <share>", "delete nothing if more of the objects would go", share, 0.5)
    .addOption(baseOption())
    .addOption(namesOption())
    .option("--shard <i/n>", "only one of n parts", shardOf)
    .option("--list", "print each object that nothing refers to")
    .option("--concurrency <count>", "deletes in parallel", positive, 32)
    .action(cli.run(run));
}

interface SweepCliOptions extends SourceOptions {
  dryRun?: boolean;
  delete?: boolean;
  trash?: string;
  undo?: boolean;
  grace: number;
  force?: boolean;
  maxShare: number;
  base?: string;
  as?: string[];
  shard?: SweepShard;
  list?: boolean;
  concurrency: number;
}

function shardOf(text: string): SweepShard {
  const [, index, of] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  if (Number(index) >= 1 && Number(index) <= Number(of)) return { index: Number(index), of: Number(of) };
  throw new InvalidArgumentError("It must be a part and the number of parts, such as 1/4.");
}

async function run(session: Session, text: string, options: SweepCliOptions): Promise<void> {
  const path = session.path(text);
  const trash = options.trash === undefined ? undefined : session.path(options.trash);
  if (options.dryRun && (options.delete || trash || options.undo))
    throw invalid("--dry-run contradicts --delete, --trash and --undo");
  if (options.undo) return undo(session, path, trash, options);
  const { storage, signal } = session;
  const { delete: isDelete = false, grace, force = false, maxShare, shard, concurrency } = options;
  const layout = layoutOf(options);
  const { sources, close } = await openSources(session, options, { path, isWhole: true });
  const refusal = isDelete || trash ? undefined : refusalOf(layout, grace);
  const swept = { path, trash, isDelete, grace, force, maxShare, refusal };
  let stopped: SweepReport | undefined;
  try {
    const report = await session.watched(({ at, clear }) =>
      sweep({
        storage,
        path,
        base: baseOf(session, path, options.base),
        sources,
        layout,
        delete: isDelete,
        trash,
        graceMs: grace * 1000,
        force,
        maxShare,
        shard,
        ...namesOf(session, options.as),
        concurrency,
        onOrphan:
          session.json || options.list
            ? (object) => {
                clear();
                return printed(session, object);
              }
            : undefined,
        onStopped: (report) => {
          stopped = report;
        },
        onProgress: at,
        signal,
      }),
    );
    // A part can be empty; a path without anything is probably mistyped, and must not look healthy in a log.
    const isEmpty = report.listed + report.failed === 0;
    const isNew = isEmpty && hasNone(options, report);
    if (isEmpty && !isNew && !shard)
      throw failure("NotFound", "there is nothing below this path").at("sweep", String(path));
    await summed(session, report, { ...swept, isNew });
  } catch (error) {
    if (stopped) await summed(session, stopped, { ...swept, stopped: true });
    throw error;
  } finally {
    await close();
  }
}

function printed({ io: { stdout }, json }: Session, { error, ...object }: SweptObject): Promise<void> {
  if (json) return jsonLine(stdout, error === undefined ? object : { ...object, error: messageOf(error) });
  const { action, path, size, modified } = object;
  const columns = [action.padEnd(7), bytes(size).padStart(8), styled(stdout, "dim", moment(modified))];
  return put(stdout, `${columns.join("  ")}  ${printable(String(path))}\n`);
}

interface Swept {
  path: StoragePath;
  trash: StoragePath | undefined;
  isDelete: boolean;
  grace: number;
  force: boolean;
  maxShare: number;
  /** Why the same command with `--delete` would be refused. */
  refusal: string | undefined;
  /** Whether there is nothing yet. */
  isNew?: boolean;
  /** Whether it ended early. */
  stopped?: true;
}

/** Returns why nothing of a layout would be removed; undefined if it would. */
function refusalOf(layout: ObjectLayout | undefined, grace: number): string | undefined {
  const minimum = (layout?.minGraceMs ?? 0) / 1000;
  if (grace >= minimum) return undefined;
  const fix = Number.isFinite(minimum)
    ? `--grace must be at least ${timeSpan(minimum)}, which is --refresh-after`
    : "give the refreshAfter of their writers as --refresh-after";
  return `--delete and --trash would be refused: ${fix}`;
}

async function summed(session: Session, report: SweepReport, swept: Swept): Promise<void> {
  const { json, io } = session;
  const { failures, ...counts } = report;
  const isDryRun = !swept.isDelete && !swept.trash;
  if (report.failed + report.left > 0) session.exitCode = 1;
  await failed(session, failures, report.failed);
  if (json) {
    const errors = failures.map(({ path, error }) => ({ path, error: messageOf(error) }));
    const sums = { action: "swept", path: swept.path, dryRun: isDryRun, ...counts, failures: errors };
    return jsonLine(io.stdout, { ...sums, warning: swept.refusal, stopped: swept.stopped });
  }
  await table(session, report, swept);
  const next = nextStep(session, report, swept, isDryRun);
  if (next) await put(io.stdout, `\n${wrapped(io.stdout, 0, printable(next))}\n`);
}

/** A line of the sums: what it counts, how many, and a remark. */
type Row = readonly [name: string, count: number, remark?: string];

async function table({ io: { stdout } }: Session, report: SweepReport, swept: Swept): Promise<void> {
  const all: Row[] = [
    ["listed", report.listed],
    ["other names", report.unknown, "in no known layout, never deleted"],
    ["young", report.young, `within the grace of ${(swept.force ? timeSpan : graceSpan)(swept.grace)}`],
    ["dated in the future", report.future, "compare the clocks; never deleted"],
    ["referenced", report.referenced],
    ["not referenced", report.orphaned, `${bytes(report.bytes)}, ${percent(report)} of what was considered`],
    ["named elsewhere", report.namedElsewhere, "of these, by the same key at another base"],
    ["deleted", report.deleted, bytes(report.freed)],
    ["moved", report.moved, bytes(report.freed)],
    ["changed meanwhile", report.changed, "left alone"],
    ["failed", report.failed],
    ["copies of these", report.copies, "in the trash beside their originals: the next sweep takes them up"],
    ["not tried", report.left, "since nothing could be deleted"],
  ];
  const rows = all.filter(([name, count]) => count > 0 || ALWAYS.includes(name));
  const width = Math.max(...rows.map(([name]) => name.length));
  const digits = Math.max(...rows.map(([, count]) => grouped(count).length));
  await put(stdout, `${styled(stdout, "bold", printable(String(swept.path)))}\n\n`);
  for (const [name, count, remark] of rows) {
    const number = styled(stdout, BAD.includes(name) ? "red" : "bold", grouped(count).padStart(digits));
    const rest = remark === undefined ? "" : `  ${styled(stdout, "dim", remark)}`;
    await put(stdout, `  ${name.padEnd(width)}  ${number}${rest}\n`);
  }
}

function percent({ orphaned, considered }: SweepReport): string {
  return `${((100 * orphaned) / Math.max(1, considered)).toFixed(1)}%`;
}

const ALWAYS = ["listed", "referenced", "not referenced"];
const BAD = ["failed", "not tried"];

function nextStep(session: Session, report: SweepReport, swept: Swept, isDryRun: boolean): string | undefined {
  const { path, trash, maxShare, refusal } = swept;
  const { listed, considered, orphaned, unknown } = report;
  if (swept.isNew) return NOTHING_YET;
  if (listed > 0 && unknown === listed)
    return "Nothing here has the name of such an object. If it is a folder below a base path, name that by --base.";
  if (refusal) return `Nothing was deleted. ${refusal}.`;
  if (considered === 0 || orphaned === 0) return undefined;
  if (isDryRun && report.namedElsewhere > 0)
    return (
      "Nothing was deleted. --delete and --trash refuse to take what rows name by the same key at another base: if this " +
      "is a replica whose primary is being migrated, name both of its bases by --as."
    );
  if (isDryRun && orphaned > maxShare * considered)
    return (
      `Nothing was deleted. --delete and --trash refuse to take more than a share of ${maxShare}. If rows name this ` +
      `path otherwise, name it by --as; if all of these can go: --max-share ${shareAbove(orphaned, considered)}.`
    );
  if (isDryRun)
    return `Nothing was deleted. Next: the same command with --trash ${path}-trash, which can be undone, or with --delete.`;
  return trash && report.moved > 0 ? `Back again: ${session.program} sweep ${path} --trash ${trash} --undo` : undefined;
}

/** Returns the smallest share in hundredths that allows so many. */
function shareAbove(orphaned: number, considered: number): number {
  return Math.ceil((100 * orphaned) / considered) / 100;
}

async function undo(session: Session, path: StoragePath, trash: StoragePath | undefined, options: SweepCliOptions) {
  if (!trash) throw invalid("--undo needs the --trash of the sweep");
  if (options.delete) throw invalid("--undo and --delete contradict each other");
  const { storage, signal } = session;
  const report = await undoSweep({ storage, path, trash, concurrency: options.concurrency, signal });
  await undone(session, report, { path, trash });
}

async function undone(session: Session, report: UndoSweepReport, at: { path: StoragePath; trash: StoragePath }) {
  const { failures, ...counts } = report;
  await failed(session, failures, report.failed);
  if (report.failed > 0) session.exitCode = 1;
  const errors = failures.map(({ path, error }) => ({ path, error: messageOf(error) }));
  const there = report.present > 0 ? `; ${report.present} already there` : "";
  const stay = report.failed > 0 ? `; ${report.failed} stay in ${at.trash}` : "";
  await session.say(
    { action: "undone", ...at, ...counts, failures: errors },
    printable(`${pluralize(report.moved, "object")} moved back to ${at.path}, ${bytes(report.bytes)}${there}${stay}`),
  );
}

function failed({ json, io }: Session, failures: SweepReport["failures"], count: number): Promise<void> | undefined {
  if (json) return undefined;
  return putFailures(
    io.stderr,
    failures.map(({ error }) => messageOf(error)),
    count,
  );
}
