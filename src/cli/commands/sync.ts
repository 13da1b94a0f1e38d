/** `sync`. */
import type { Command } from "commander";
import type { SyncStep, SyncSummary } from "../../fs/index.js";
import { type AttributeOptions, addAttributes, attributesIn } from "../attributes.js";
import type { Cli, Session } from "../command.js";
import { bytes, printable, put } from "../format.js";
import { listOf, pluralize, positive } from "../options.js";

export function addSync(cli: Cli, program: Command): void {
  const command = cli
    .add(program, {
      name: "sync",
      summary: "copy what is missing or has changed below a path",
      details:
        "Copies what TO does not have, what has another size there, and what was copied before its source was written. " +
        "A sync that was cut off leaves complete objects only; run it again to go on. Attributes are set on what is " +
        "copied; what has not changed keeps those it has. Patterns are relative to FROM; one " +
        "without a slash matches names at any depth.",
      examples: [
        ["stowage sync site s3://lake@bucket/site", "upload what has changed"],
        ["stowage sync --delete --dry-run s3://lake@bucket/site gs://backup/site", "what a mirror would change"],
        ["stowage sync --exclude '*.tmp' --exclude '.git/**' . s3://lake@bucket/work", "all but some"],
      ],
    })
    .argument("<from>", "a path")
    .argument("<to>", "a path")
    .option("--delete", "delete what FROM does not have, if all copies succeed")
    .option("--checksum", "compare content instead of times")
    .option("-n, --dry-run", "only print what would be done")
    .option("--include <pattern>", "only what matches; can be repeated", listOf)
    .option("--exclude <pattern>", "not what matches, nor delete it; can be repeated", listOf)
    .option("--concurrency <count>", "objects in parallel", positive, 32)
    .option("--follow-links", "of files: copy what is behind links to directories");
  addAttributes(command);
  command.action(cli.run(sync));
}

interface SyncOptions extends AttributeOptions {
  delete?: boolean;
  checksum?: boolean;
  dryRun?: boolean;
  include?: string[];
  exclude?: string[];
  concurrency: number;
  followLinks?: boolean;
}

async function sync(session: Session, from: string, to: string, options: SyncOptions): Promise<void> {
  const { storage, signal } = session;
  const { dryRun = false, checksum, include, exclude, concurrency, followLinks, attributes } = options;
  const what = { delete: options.delete, checksum, dryRun, include, exclude, concurrency, followLinks };
  const [source, target] = [session.path(from), session.path(to)];
  const done = { copied: 0, bytes: 0, deleted: 0 };
  const run = session.transfer(
    source.name,
    async () => undefined,
    async (bar) => {
      const onStep = (step: SyncStep) => {
        done[step.action === "copy" ? "copied" : "deleted"] += 1;
        if (step.action === "copy") {
          done.bytes += step.size ?? 0;
          // A copy inside a provider sends no bytes through this process.
          bar.at(Math.max(bar.done, done.bytes));
          bar.file();
        }
        // A sync cannot wait for the output; the summary comes behind all steps.
        if (session.json || dryRun) void printStep(session, step, dryRun);
      };
      return storage.sync(source, target, {
        ...what,
        attributes,
        replace: attributesIn(options),
        onStep,
        onProgress: (count) => bar.at(Math.max(count, done.bytes)),
        signal,
      });
    },
  );
  const summary = await run.catch(async (error: unknown) => {
    if (done.copied + done.deleted > 0) await summed(session, done, dryRun);
    if (signal.aborted)
      await put(session.io.stderr, "stowage: the same command goes on; with --dry-run it prints what is left\n");
    throw error;
  });
  await summed(session, summary, dryRun);
}

function printStep(session: Session, { action, path, size }: SyncStep, dryRun: boolean): Promise<void> {
  const did = action === "copy" ? "copied" : "deleted";
  const large = size === undefined ? "" : ` (${bytes(size)})`;
  return session.say({ action: did, path, size, dryRun }, printable(`would ${action} ${path}${large}`));
}

type Counts = Omit<SyncSummary, "unchanged"> & { unchanged?: number };

function summed(session: Session, counts: Counts, dryRun: boolean): Promise<void> {
  const { copied, bytes: size, deleted, unchanged } = counts;
  const would = dryRun ? "would be " : "";
  const parts = [`${pluralize(copied, "file")} ${would}copied, ${bytes(size)}`, `${deleted} ${would}deleted`];
  if (unchanged !== undefined) parts.push(`${unchanged} unchanged`);
  return session.say({ action: "synced", ...counts, dryRun }, `${dryRun ? "dry run: " : ""}${parts.join("; ")}`);
}
