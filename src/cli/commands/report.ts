/** `report`. */
import type { Command } from "commander";
import { failure, invalid } from "../../errors.js";
import { type ReportBreakdown, type ReportGroup, report, reportHtml, type StorageReport } from "../../xcom/index.js";
import type { Cli, Session } from "../command.js";
import { bytes, grouped, printable, put, styled } from "../format.js";
import { baseOption, classDays, graceOption, namesOption, pluralize } from "../options.js";
import { readPolicy } from "../xcom/policy.js";
import { hasNone, NOTHING_YET, openSources, type SourceOptions, withSources } from "../xcom/references.js";
import { baseOf, namesOf } from "../xcom/values.js";

export function addReport(cli: Cli, program: Command): void {
  const command = cli
    .add(program, {
      name: "report",
      summary: "show storage usage by Dag, run, task, codec, class, age and size",
      details:
        "Lists the objects below PATH and prints sums, or writes them as one HTML page that needs nothing else. With " +
        "references, also objects without a row and rows without an object; with classes or a policy, what they delete " +
        "next. Deletes nothing.",
      examples: [
        ["stowage report s3://lake@bucket/xcom --out report.html", "a page to open in a browser"],
        ["stowage report s3://lake@bucket/xcom --database --class week=7 --out report.html", "with rows and retention"],
        ["stowage report s3://lake@bucket/xcom --out s3://lake@bucket/reports/xcom.html", "where others read it"],
        ["stowage report s3://lake@bucket/xcom --json", "the same numbers"],
      ],
    })
    .argument("<path>", "base path of the XComs, or a folder below it");
  withSources(command)
    .option("--out <path>", 'write a page there: a file, any path of a bucket, or "-" for stdout')
    .option("--class <name=days>", "a retention class and the days that it lasts; may be given again", classDays)
    .option("--policy <file>", 'the lifecycle policy as the provider prints it; "-" is stdin')
    .addOption(graceOption(false))
    .addOption(baseOption())
    .addOption(namesOption())
    .action(cli.run(run));
}

interface ReportCliOptions extends SourceOptions {
  out?: string;
  class?: Record<string, number>;
  policy?: string;
  grace: number;
  base?: string;
  as?: string[];
}

async function run(session: Session, text: string, options: ReportCliOptions): Promise<void> {
  const { storage, signal } = session;
  const { out, class: days, policy, grace, refs = [] } = options;
  if (out === "-" && session.json) throw invalid("--out - and --json both print to stdout; give one of them");
  if (policy === "-" && refs.includes("-")) throw invalid("--policy - and --refs - both read stdin");
  const path = session.path(text);
  const given = policy === undefined ? undefined : await readPolicy(session, policy);
  const { sources, close } = await openSources(session, options, { optional: true });
  try {
    const found = await session.watched(({ at: onProgress }) =>
      report({
        storage,
        path,
        base: baseOf(session, path, options.base),
        sources,
        graceMs: grace * 1000,
        ...namesOf(session, options.as),
        days,
        policy: given,
        onProgress,
        signal,
      }),
    );
    // Probably mistyped: it must not look healthy in a log.
    const isEmpty = found.total.objects + found.unknown.objects + found.failed === 0;
    const isNew = isEmpty && found.references !== undefined && hasNone(options, found.references);
    if (isEmpty && !isNew) throw failure("NotFound", "there is nothing below this path").at("report", String(path));
    if (found.failed + (found.references?.unchecked ?? 0) > 0) session.exitCode = 1;
    await written(session, found, out);
    if (isNew && !session.json && out !== "-") await put(session.io.stdout, `\n${NOTHING_YET}\n`);
  } finally {
    await close();
  }
}

async function written(session: Session, found: StorageReport, out: string | undefined): Promise<void> {
  const { storage, signal, io } = session;
  if (out === "-") return put(io.stdout, reportHtml(found));
  const to = out === undefined ? undefined : session.path(out);
  if (to) await storage.write(to, reportHtml(found), { contentType: "text/html; charset=utf-8", signal });
  if (session.json) return session.say({ action: "reported", ...found, out: to }, "");
  await printed(session, found);
  if (to) await put(io.stdout, `\nwrote ${printable(String(to))}\n`);
}

/** Dags that are printed for people; a page and JSON have 100. */
const PRINTED = 10;

async function printed(session: Session, found: StorageReport): Promise<void> {
  const { stdout } = session.io;
  const { path, total, unknown, failed, dags } = found;
  const lines = [styled(stdout, "bold", printable(path)), "", ...topLines(session, dags, total.bytes)];
  if (unknown.objects > 0) lines.push(line(session, unknown.bytes, unknown.objects, "other names"));
  lines.push(line(session, total.bytes, total.objects, "in all"), ...referenceLines(session, found));
  if (failed > 0) lines.push("", styled(stdout, "red", `${pluralize(failed, "folder")} could not be listed`));
  await put(stdout, `${lines.join("\n")}\n`);
}

function topLines(session: Session, { groups, count, others }: ReportBreakdown, total: number): string[] {
  const shown = groups.slice(0, PRINTED);
  const rest = groups.slice(PRINTED).reduce((sum, group) => added(sum, group), others);
  const lines = shown.map(({ name, bytes: size, objects }) => line(session, size, objects, name, size / total));
  const more = count - shown.length;
  return more > 0 ? [...lines, line(session, rest.bytes, rest.objects, pluralize(more, "other Dag"))] : lines;
}

function added(sum: StorageReport["total"], { bytes: size, objects }: ReportGroup): StorageReport["total"] {
  return { bytes: sum.bytes + size, objects: sum.objects + objects };
}

function line({ io: { stdout } }: Session, size: number, objects: number, name: string, share?: number): string {
  const percent = share === undefined ? "" : `  ${styled(stdout, "dim", `${(100 * share).toFixed(1)}%`)}`;
  return `${bytes(size).padStart(9)}  ${grouped(objects).padStart(9)}  ${printable(name)}${percent}`;
}

function referenceLines(session: Session, { references, expiries }: StorageReport): string[] {
  const { stdout } = session.io;
  const lines: string[] = [];
  if (references) {
    const { orphaned, young, missing, unchecked } = references;
    lines.push("", `${bytes(orphaned.bytes)} in ${pluralize(orphaned.objects, "object")} without a row`);
    if (young.objects > 0) lines[1] += `; ${pluralize(young.objects, "object")} too young to tell`;
    if (missing > 0) lines.push(styled(stdout, "red", `${pluralize(missing, "object")} missing that rows refer to`));
    if (unchecked > 0) lines.push(styled(stdout, "red", `${pluralize(unchecked, "reference")} could not be checked`));
  }
  for (const { name, overdue, withinDay, withinWeek } of expiries) {
    const soon = [overdue, withinDay, withinWeek].reduce((sum, one) => added(sum, { ...one, name: "" }));
    lines.push(printable(`${name}: ${bytes(soon.bytes)} in ${pluralize(soon.objects, "object")} expire within 7 days`));
  }
  return lines;
}
