/** `fsck`. */
import type { Command } from "commander";
import { invalid } from "../../errors.js";
import { type FsckProblem, type FsckProblemKind, type FsckReport, fsck } from "../../xcom/index.js";
import type { Cli, Session } from "../command.js";
import { bytes, jsonLine, printable, put, styled } from "../format.js";
import { baseOption, graceOption, graceSpan, listOf, namesOption, pluralize, positive } from "../options.js";
import { layoutOf, openSources, type SourceOptions, withClaims, withSources } from "../xcom/references.js";
import { baseOf, namesOf } from "../xcom/values.js";

export function addFsck(cli: Cli, program: Command): void {
  const command = cli
    .add(program, {
      name: "fsck",
      summary: "find references whose object is missing or damaged, and objects without a reference",
      details:
        "Reads references from Airflow's database (every attempt, and the archive tables of `airflow db clean`), or from a " +
        "file with one a line. With PATH, references that lead elsewhere and objects below it that no reference names are " +
        "problems too. Writes nothing. Exits with 1 if there is any problem.",
      examples: [
        ["stowage fsck --database postgresql://reader@host/airflow", "rows without an object"],
        ["stowage fsck --deep --database airflow.db s3://lake@bucket/xcom", "both ways, and read each object"],
        ["stowage xcom ls --refs s3://lake@bucket/xcom | stowage fsck --refs -", "whether all can be reached"],
      ],
    })
    .argument("[path]", "base path of the XComs, or a folder below it");
  withClaims(withSources(command))
    .option("--deep", "also read every object: decode it, parse JSON, compare digests")
    .addOption(baseOption())
    .addOption(namesOption())
    .option("--also <path>", "another base path that references may lead to; repeatable", listOf)
    .addOption(graceOption())
    .option("--concurrency <count>", "references in parallel", positive, 16)
    .action(cli.run(check));
}

interface FsckCliOptions extends SourceOptions {
  deep?: boolean;
  base?: string;
  as?: string[];
  also?: string[];
  grace: number;
  concurrency: number;
}

async function check(session: Session, text: string | undefined, options: FsckCliOptions): Promise<void> {
  const { deep = false, grace, concurrency } = options;
  const path = text === undefined ? undefined : session.path(text);
  if (!path && (options.base ?? options.as ?? options.also) !== undefined)
    throw invalid("--base, --as and --also need a PATH");
  const places = path && {
    path,
    base: baseOf(session, path, options.base),
    also: options.also?.map((one) => session.path(one)),
    ...namesOf(session, options.as),
  };
  const layout = layoutOf(options);
  const { sources, close } = await openSources(session, options, { path });
  try {
    const { storage, signal } = session;
    const report = await session.watched(({ at: onProgress, clear }) => {
      const onProblem = (problem: FsckProblem) => {
        clear();
        return printed(session, problem);
      };
      return fsck({
        storage,
        sources,
        layout,
        ...places,
        graceMs: grace * 1000,
        deep,
        concurrency,
        onProblem,
        onProgress,
        signal,
      });
    });
    const names = sources.map(({ name }) => (name === "-" ? "stdin" : name));
    // A new Airflow has none; a file of other lines is the wrong one.
    const isEmpty = report.checked + report.foreign + report.layout + report.elsewhere === 0;
    await summed(session, report, isEmpty ? names.join(" and ") : undefined, path && grace);
    if (KINDS.some((kind) => report[kind] > 0) || (isEmpty && options.refs && report.values > 0)) session.exitCode = 1;
  } finally {
    await close();
  }
}

const KINDS: readonly FsckProblemKind[] = ["missing", "damaged", "size", "foreign", "layout", "orphan", "unchecked"];

async function printed({ json, io }: Session, problem: FsckProblem): Promise<void> {
  if (json) return jsonLine(io.stdout, problem);
  const { reference, where, problem: kind, detail } = problem;
  const name = styled(io.stdout, "red", kind.padEnd(9));
  await put(
    io.stdout,
    `${name}  ${printable(reference)}  ${styled(io.stdout, "dim", printable(`${where}  ${detail}`))}\n`,
  );
}

/** `empty` are the sources if they have no reference at all; `grace` is given if objects were listed. */
async function summed(
  session: Session,
  report: FsckReport,
  empty: string | undefined,
  grace: number | undefined,
): Promise<void> {
  const { checked, missing, damaged, size, foreign, layout, orphan, unchecked, elsewhere, bytes: total } = report;
  const parts = [
    `${pluralize(checked, "reference")}, ${bytes(total)}`,
    `${missing} missing, ${damaged} damaged`,
    ...(grace === undefined ? [] : [listedIn(report, grace)]),
    ...(size > 0 ? [`${size} of another size`] : []),
    ...(foreign > 0 ? [`${foreign} foreign`] : []),
    ...(layout > 0 ? [`${layout} without a known layout`] : []),
    ...(orphan > 0 ? [`${pluralize(orphan, "object")} without a reference`] : []),
    ...(unchecked > 0 ? [`${unchecked} could not be checked`] : []),
    ...(elsewhere > 0 ? [`${elsewhere} are elsewhere`] : []),
  ];
  const values = report.values > 0 ? `, only ${pluralize(report.values, "other value")}` : "";
  const warning = empty && `no references in ${empty}${values}`;
  await session.say({ ...report, warning }, printable([...(warning ? [warning] : []), ...parts].join("; ")));
}

function listedIn({ listed, others, young }: FsckReport, grace: number): string {
  const parts = [
    `${pluralize(listed, "object")} listed`,
    ...(others > 0 ? [`${others} of other programs`] : []),
    ...(young > 0 ? [`${young} too young to judge: within ${graceSpan(grace)}`] : []),
  ];
  return parts.join(", ");
}
