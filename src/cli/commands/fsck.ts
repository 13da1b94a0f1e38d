/** `fsck`. */
import type { Command } from "commander";
import { type FsckProblem, type FsckReport, fsck } from "../../xcom/index.js";
import type { Cli, Session } from "../command.js";
import { bytes, jsonLine, printable, put, styled } from "../format.js";
import { positive } from "../options.js";
import { openSources, type SourceOptions, withSources } from "../xcom/references.js";

export function addFsck(cli: Cli, program: Command): void {
  const command = cli
    .add(program, {
      name: "fsck",
      summary: "find references whose object is missing or damaged",
      details:
        "Reads references from Airflow's database (every attempt, and the archive tables of `airflow db clean`), or from a " +
        "file with one a line. Writes nothing. Exits with 1 if there is any problem.",
      examples: [
        ["stowage fsck --database postgresql://reader@host/airflow", "rows without an object"],
        ["stowage fsck --deep --database airflow.db s3://lake@bucket/xcom", "read and decode each object below a base"],
        ["stowage xcom ls --refs s3://lake@bucket/xcom | stowage fsck --refs -", "whether all can be reached"],
      ],
    })
    .argument("[path]", "only references below it");
  withSources(command)
    .option("--deep", "also read every object: decode it, parse JSON, compare digests")
    .option("--concurrency <count>", "references in parallel", positive, 16)
    .action(cli.run(check));
}

interface FsckCliOptions extends SourceOptions {
  deep?: boolean;
  concurrency: number;
}

async function check(session: Session, text: string | undefined, options: FsckCliOptions): Promise<void> {
  const { deep = false, concurrency } = options;
  const path = text === undefined ? undefined : session.path(text);
  const { sources, close } = await openSources(session, options);
  try {
    const { storage, signal } = session;
    const report = await session.watched(({ at: onProgress, clear }) => {
      const onProblem = (problem: FsckProblem) => {
        clear();
        return printed(session, problem);
      };
      return fsck({ storage, sources, path, deep, concurrency, onProblem, onProgress, signal });
    });
    await summed(session, report);
    if (report.missing + report.damaged + report.unchecked > 0) session.exitCode = 1;
  } finally {
    await close();
  }
}

async function printed({ json, io }: Session, problem: FsckProblem): Promise<void> {
  if (json) return jsonLine(io.stdout, problem);
  const { reference, where, problem: kind, detail } = problem;
  const name = styled(io.stdout, "red", kind.padEnd(9));
  await put(
    io.stdout,
    `${name}  ${printable(reference)}  ${styled(io.stdout, "dim", printable(`${where}  ${detail}`))}\n`,
  );
}

async function summed(session: Session, report: FsckReport): Promise<void> {
  const { checked, missing, damaged, unchecked, elsewhere, bytes: total } = report;
  const parts = [
    `${checked} references, ${bytes(total)}`,
    `${missing} missing, ${damaged} damaged`,
    ...(unchecked > 0 ? [`${unchecked} could not be checked`] : []),
    ...(elsewhere > 0 ? [`${elsewhere} are elsewhere`] : []),
  ];
  await session.say(report, parts.join("; "));
}
