/** `du`. */
import type { Command } from "commander";
import { failure } from "../../errors.js";
import type { StoragePath } from "../../path.js";
import type { Cli, Session } from "../command.js";
import { bytes, jsonLine, type Output, printable, put, styled } from "../format.js";
import { aliasFlag, parseCount, pluralize } from "../options.js";
import { expandSources } from "../sources.js";

export function addUsage(cli: Cli, program: Command): void {
  cli
    .add(program, {
      name: "du",
      summary: "sum up sizes by directory",
      details:
        "Prints the size of everything below each directory, the largest first, and then the sum. Objects that lie " +
        "directly below the path count in the sum alone.",
      examples: [
        ["stowage du s3://lake@bucket/reports", "each directory, and all of it"],
        ["stowage du --depth 2 --json s3://lake@bucket | jq .size", "two levels, as JSON"],
      ],
    })
    .argument("[path...]", "where to look", ["."])
    .option("-d, --depth <levels>", "directories of so many levels; 0 is the sum alone", parseCount, 1)
    // As in `ls`.
    .helpOption("--help", "print help")
    .addOption(aliasFlag("-h"))
    .action(cli.run(usage));
}

interface Sum {
  size: number;
  files: number;
}

async function usage(session: Session, texts: string[], { depth }: { depth: number }): Promise<void> {
  session.endsWithReader();
  for (const path of await expandSources(session, texts, { recursive: true })) {
    const { all, directories } = await summed(session, path, depth);
    const rows = [...directories].sort(([a, one], [b, other]) => other.size - one.size || (a < b ? -1 : 1));
    for (const [name, sum] of rows) await row(session, { sum, path: path.join(name), name: `${name}/`, all });
    await row(session, { sum: all, path, name: String(path), all });
  }
}

async function summed({ storage, signal }: Session, path: StoragePath, depth: number) {
  const all: Sum = { size: 0, files: 0 };
  const directories = new Map<string, Sum>();
  const add = (sum: Sum, size: number) => {
    sum.size += size;
    sum.files += 1;
  };
  for await (const { path: found, type, size = 0 } of storage.list(path, { recursive: true, signal })) {
    if (type !== "file") continue;
    add(all, size);
    const segments = found.relativeTo(path).split("/");
    for (let level = 1; level <= Math.min(depth, segments.length - 1); level++) {
      const name = segments.slice(0, level).join("/");
      const sum = directories.get(name) ?? { size: 0, files: 0 };
      directories.set(name, sum);
      add(sum, size);
    }
  }
  if (all.files === 0 && path.key !== "") add(all, await sizeOfOne(storage, path, signal));
  return { all, directories };
}

async function sizeOfOne(storage: Session["storage"], path: StoragePath, signal: AbortSignal): Promise<number> {
  if (await storage.exists(path, { signal })) return (await storage.stat(path, { signal })).size;
  throw failure("NotFound", "there is neither an object nor anything below it").at("du", String(path));
}

interface Row {
  sum: Sum;
  path: StoragePath;
  name: string;
  all: Sum;
}

/** Wide enough for `1023 KiB`, and for `999999 files`. */
const SIZE = 8;
const FILES = 12;

function row({ io: { stdout }, json }: Session, { sum, path, name, all }: Row): Promise<void> {
  if (json) return jsonLine(stdout, { path, ...sum });
  const columns = [bytes(sum.size).padStart(SIZE), styled(stdout, "dim", pluralize(sum.files, "file").padStart(FILES))];
  if (stdout.terminal) columns.push(bar(stdout, all.size === 0 ? 0 : sum.size / all.size));
  return put(stdout, `${[...columns, printable(name)].join("  ")}\n`);
}

/** A quarter of the line at most, so that names have room. */
const WIDEST_BAR = 24;

function bar({ columns = 80 }: Output, share: number): string {
  const width = Math.max(4, Math.min(WIDEST_BAR, Math.floor(columns / 5)));
  const full = Math.round(share * width);
  return "█".repeat(full) + "░".repeat(width - full);
}
