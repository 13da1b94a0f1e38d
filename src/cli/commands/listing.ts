/** `ls` and `glob`. */
import type { Command } from "commander";
import { failure, invalid, isStorageError } from "../../errors.js";
import type { ListEntry } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import type { Cli, Session } from "../command.js";
import { bytes, moment, printable, put, styled } from "../format.js";
import { aliasFlag } from "../options.js";
import { matches, notFollowed, patternOf } from "../sources.js";
import { isAccount, listBuckets } from "./buckets.js";

export function addListing(cli: Cli, program: Command): void {
  cli
    .add(program, {
      name: "ls",
      summary: "list what is below a path",
      examples: [
        ["stowage ls s3://lake@bucket/reports", "one level"],
        ["stowage ls s3://lake@", "the buckets of a connection"],
        ["stowage ls -r --json gs://bucket/2026 | jq .size", "everything below, as JSON"],
      ],
    })
    .argument("[path...]", "where to look", ["."])
    .option("-r, --recursive", "everything below, not one level")
    .addOption(aliasFlag("-R"))
    .addOption(aliasFlag("-l"))
    // Sizes are for people anyway; the help of this command is `--help` alone.
    .helpOption("--help", "print help")
    .addOption(aliasFlag("-h"))
    .option("--versions", "every version of every object")
    .option("--follow-links", "of files: look into directories behind links")
    .action(cli.run(list));
  cli
    .add(program, {
      name: "glob",
      summary: "list what matches a pattern",
      details: "* ? [a-c] match inside a segment, ** across segments, {x,y} either. Quote the pattern.",
      examples: [
        ["stowage glob 's3://lake@bucket/reports/**/*.parquet'", "all Parquet files"],
        ["stowage glob 'logs/{app,web}-*.gz'", "local files"],
      ],
    })
    .argument("<pattern...>", "a path with wildcards")
    .option("--follow-links", "of files: look into directories behind links")
    .action(cli.run(glob));
}

interface ListOptions {
  recursive?: boolean;
  R?: boolean;
  versions?: boolean;
  followLinks?: boolean;
}

async function list(session: Session, texts: string[], options: ListOptions): Promise<void> {
  session.endsWithReader();
  const { recursive = options.R, versions, followLinks } = options;
  const paths: StoragePath[] = [];
  for (const text of texts) {
    if (isAccount(text)) {
      if (recursive || versions) throw invalid("-r and --versions take the path of a bucket");
      await listBuckets(session, text);
      continue;
    }
    const pattern = await patternOf(session, text);
    if (!pattern) paths.push(session.path(text));
    else if (recursive) paths.push(...(await matches(session, pattern, { recursive })));
    else await listMatches(session, pattern, options);
  }
  for (const [index, path] of paths.entries()) {
    if (paths.length > 1 && !session.json) await heading(session, path, index);
    const entries = session.storage.list(path, { recursive, versions, followLinks, signal: session.signal });
    if ((await printed(session, entries, path)) === 0 && path.key !== "") await single(session, path);
  }
}

/** Prints what matches, and not what is in the directories that match. */
async function listMatches(session: Session, path: StoragePath, { versions, followLinks }: ListOptions): Promise<void> {
  if (versions) throw invalid("--versions takes a path without wildcards");
  const count = await printed(session, session.storage.glob(path, { followLinks, signal: session.signal }), undefined);
  if (count === 0) throw failure("NotFound", "nothing matches").at("ls", String(path));
}

async function glob(session: Session, patterns: string[], { followLinks }: ListOptions): Promise<void> {
  session.endsWithReader();
  const { storage, signal } = session;
  for (const pattern of patterns) {
    const skipped = new Set<string>();
    const onSkipped = (path: StoragePath) => void skipped.add(String(path));
    await printed(session, storage.glob(session.pattern(pattern), { followLinks, onSkipped, signal }), undefined);
    for (const path of skipped) await notFollowed(session, path);
  }
}

function heading({ io: { stdout } }: Session, path: StoragePath, index: number): Promise<void> {
  return put(stdout, `${index > 0 ? "\n" : ""}${styled(stdout, "bold", printable(`${path}:`))}\n`);
}

/** The listed path is an object or does not exist. */
async function single(session: Session, path: StoragePath): Promise<void> {
  const { key, size, modified, etag } = await session.storage.stat(path, { signal: session.signal }).catch((error) => {
    if (!isStorageError(error, "NotFound")) throw error;
    throw failure("NotFound", "there is neither an object nor anything below it").at("ls", String(path));
  });
  const known = { ...(modified && { modified }), ...(etag !== undefined && { etag }) };
  await row(session, { path, key, type: "file", size, ...known }, path.name);
}

/** Prints entries and returns their number. */
async function printed(
  session: Session,
  entries: AsyncIterable<ListEntry>,
  base: StoragePath | undefined,
): Promise<number> {
  let count = 0;
  for await (const entry of entries) {
    count += 1;
    await row(session, entry, base ? entry.path.relativeTo(base) : String(entry.path));
  }
  return count;
}

/** Wide enough for `1023 KiB`. */
const SIZE = 8;
const MOMENT = 19;

function row({ io: { stdout }, json }: Session, entry: ListEntry, name: string): Promise<void> {
  const { key: _, ...shown } = entry;
  const { type, size, modified } = entry;
  if (json) return put(stdout, `${JSON.stringify(shown)}\n`);
  const columns = [
    (size === undefined ? "" : bytes(size)).padStart(SIZE),
    styled(stdout, "dim", (modified ? moment(modified) : "").padEnd(MOMENT)),
    type === "directory" ? styled(stdout, "blue", `${printable(name)}/`) : printable(name),
  ];
  if (entry.detail !== undefined) columns.push(styled(stdout, "dim", `(${entry.detail})`));
  if (entry.version !== undefined) columns.push(styled(stdout, "dim", `${entry.version}${mark(entry)}`));
  return put(stdout, `${columns.join("  ")}\n`);
}

function mark({ latest, deleted }: ListEntry): string {
  if (deleted) return " deleted";
  return latest ? " latest" : "";
}
