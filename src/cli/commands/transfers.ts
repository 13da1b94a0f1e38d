/** `cat`, `cp` and `mv`. */
import type { Command } from "commander";
import { invalid } from "../../errors.js";
import type { Compression } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import { collect } from "../../streams.js";
import type { Cli, Session } from "../command.js";
import { bytes, jsonLine, printable, put } from "../format.js";
import { compressionOption, whole } from "../options.js";

export function addTransfers(cli: Cli, program: Command): void {
  addCat(cli, program);
  addCopy(cli, program);
  addMove(cli, program);
}

function addCat(cli: Cli, program: Command): void {
  cli
    .add(program, {
      name: "cat",
      summary: "print objects, as they are stored",
      examples: [
        ["stowage cat s3://lake@bucket/notes.txt", "the bytes as they are"],
        ["stowage cat --compression infer s3://lake@bucket/log.json.gz", "decoded as its suffix says"],
        ["stowage cat --end 100 data.csv", "the first 100 bytes"],
      ],
    })
    .argument("<path...>", "what to print")
    .addOption(compressionOption("decode it; infer: as the suffix says"))
    .option("--start <byte>", "first byte, counted from 0", whole)
    .option("--end <byte>", "byte after the last one", whole)
    .action(cli.run(cat));
}

function addCopy(cli: Cli, program: Command): void {
  const command = cli.add(program, {
    name: "cp",
    summary: "copy an object, or with -r all below a path",
    details:
      "Bytes are copied as they are. A target that is a bucket, a local directory or ends in a slash gets the copy " +
      "under the source's name; with -r, what is below FROM comes to the same place below TO. " +
      "An object appears whole or not at all. What cannot be copied is named at the end, and all else is copied.",
    examples: [
      ["stowage cp report.csv s3://lake@bucket/reports/", "upload a file"],
      ["stowage cp -r s3://lake@bucket/reports gs://bucket/reports", "from one cloud to another"],
      ["pg_dump db | stowage cp --compression zstd - s3://lake@bucket/db.sql.zst", "store a stream, compressed"],
    ],
  });
  command
    .argument("<from>", 'a path, or "-" for stdin')
    .argument("<to>", 'a path, or "-" for stdout')
    .option("-r, --recursive", "everything below FROM")
    .option("--if-absent", "fail where something is already")
    .option("--follow-links", "with -r, of files: copy what is behind links to directories")
    .addOption(compressionOption("encode what comes from stdin, decode what goes to stdout"))
    .option("--content-type <type>", "of what comes from stdin; else the suffix tells it")
    .action(cli.run(copy));
}

function addMove(cli: Cli, program: Command): void {
  cli
    .add(program, {
      name: "mv",
      summary: "move an object, or with -r all below a path",
      details: "The source is deleted when its own copy is complete, and not before.",
      examples: [
        ["stowage mv s3://lake@bucket/new/a.csv s3://lake@bucket/done/", "into a directory"],
        ["stowage mv -r out s3://lake@bucket/runs/42", "a folder, file by file"],
      ],
    })
    .argument("<from>", "a path")
    .argument("<to>", "a path")
    .option("-r, --recursive", "everything below FROM")
    .option("--if-absent", "fail where something is already")
    .action(cli.run(move));
}

interface CatOptions {
  compression?: Compression;
  start?: number;
  end?: number;
}

/** Maximum bytes of an object printed as JSON. */
const MAX_JSON = 64 * 2 ** 20;

async function cat(session: Session, texts: string[], { compression = null, start, end }: CatOptions): Promise<void> {
  const { io, storage, signal } = session;
  for (const text of texts) {
    const path = session.path(text);
    const body = storage.read(path, { compression, start, end, signal });
    if (session.json) await jsonLine(io.stdout, { path, ...asText(await collect(body, { max: MAX_JSON })) });
    else for await (const chunk of body) await put(io.stdout, chunk);
  }
}

/** Returns bytes in a form that JSON can carry. */
function asText(data: Uint8Array): { text: string } | { base64: string } {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data) };
  } catch {
    return { base64: Buffer.from(data).toString("base64") };
  }
}

interface CopyOptions {
  compression?: Compression;
  recursive?: boolean;
  ifAbsent?: boolean;
  followLinks?: boolean;
  contentType?: string;
}

async function copy(session: Session, from: string, to: string, options: CopyOptions): Promise<void> {
  if (from === "-") return pushed(session, to, options);
  if (options.contentType !== undefined) throw invalid("--content-type is for what comes from stdin");
  if (to === "-") return pulled(session, from, options);
  if (options.compression !== undefined) throw invalid(RECODING);
  await transferred(session, from, to, options, "copy");
}

const RECODING =
  "cp copies bytes as they are; to recode: stowage cat --compression infer FROM | stowage cp --compression CODEC - TO";

async function move(session: Session, from: string, to: string, options: CopyOptions): Promise<void> {
  if (from === "-" || to === "-") throw invalid("only cp reads stdin and writes stdout");
  await transferred(session, from, to, options, "move");
}

async function transferred(
  session: Session,
  from: string,
  to: string,
  { recursive = false, ifAbsent = false, followLinks }: CopyOptions,
  verb: "copy" | "move",
): Promise<void> {
  const { storage, signal } = session;
  const source = session.path(from);
  const target = recursive ? session.path(to) : await session.target(to, source);
  const total = async () => (recursive ? undefined : sizeOf(session, source));
  if (verb === "move" && source.equals(target)) throw invalid(`${source} would be moved onto itself; it stays`);
  await session.transfer(source.name, total, (bar) =>
    storage[verb](source, target, { recursive, ifAbsent, followLinks, signal, onProgress: (done) => bar.at(done) }),
  );
  const action = verb === "copy" ? "copied" : "moved";
  await session.say({ action, from: source, to: target }, printable(`${action} ${source} to ${target}`));
}

/** Only for the bar: the following operation reports a missing object. */
async function sizeOf({ storage, signal }: Session, path: StoragePath): Promise<number | undefined> {
  return storage.stat(path, { signal }).then(
    ({ size }) => size,
    () => undefined,
  );
}

async function pushed(session: Session, to: string, options: CopyOptions): Promise<void> {
  const { compression = null, ifAbsent = false, contentType, recursive } = options;
  if (to === "-" || recursive) throw invalid("stdin is one stream: it goes to one object");
  if (to.endsWith("/")) throw invalid(`stdin has no name: name the object below ${to}`);
  const { storage, signal, io } = session;
  const target = session.path(to);
  const stored = await session.transfer(
    target.name,
    async () => undefined,
    async (bar) => {
      const onProgress = (done: number) => bar.at(done);
      await storage.write(target, io.stdin, { compression, ifAbsent, contentType, signal, onProgress });
      return bar.done;
    },
  );
  await session.say({ action: "wrote", to: target, bytes: stored }, printable(`wrote ${bytes(stored)} to ${target}`));
}

async function pulled(session: Session, from: string, { recursive, compression }: CopyOptions): Promise<void> {
  if (recursive) throw invalid("stdout is one stream: it takes one object");
  if (session.json) throw invalid("stdout takes the object; for JSON: stowage cat --json");
  await cat(session, [from], compression === undefined ? {} : { compression });
}
