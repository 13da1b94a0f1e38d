/** `cat`, `cp` and `mv`. */
import type { Command } from "commander";
import { forEachConcurrent, OBJECTS_IN_PARALLEL } from "../../concurrency.js";
import type { Secret } from "../../connections/index.js";
import { failure, invalid, isBatchError } from "../../errors.js";
import { Batch, type Compression, summed, type WriteOptions } from "../../fs/index.js";
import { providerOf, type StoragePath } from "../../path.js";
import { collect } from "../../streams.js";
import { type AttributeOptions, addAttributes, attributesIn } from "../attributes.js";
import type { Cli, Session } from "../command.js";
import {
  addCustomerKey,
  addEncryption,
  checksum,
  customerKeyIn,
  type EncryptionOptions,
  encryptionIn,
} from "../encryption.js";
import { bytes, jsonLine, printable, put } from "../format.js";
import { aliasFlag, compressionOption, parseCount, pluralize } from "../options.js";
import { expandSources, onOneObject } from "../sources.js";

export function addTransfers(cli: Cli, program: Command): void {
  addCat(cli, program);
  addCopy(cli, program);
  addMove(cli, program);
}

function addCat(cli: Cli, program: Command): void {
  const command = cli
    .add(program, {
      name: "cat",
      summary: "print objects, as they are stored",
      examples: [
        ["stowage cat s3://lake@bucket/notes.txt", "the bytes as they are"],
        ["stowage cat --compression infer s3://lake@bucket/log.json.gz", "decoded as its suffix says"],
        ["stowage cat --last 100 s3://lake@bucket/app.log", "the last 100 bytes"],
      ],
    })
    .argument("<path...>", "what to print")
    .addOption(compressionOption("decode it; infer: as the suffix says"))
    .option("--start <byte>", "first byte, counted from 0", parseCount)
    .option("--end <byte>", "byte after the last one", parseCount)
    .option("--last <count>", "only so many bytes at the end", parseCount);
  addCustomerKey(command);
  command.action(cli.run(cat));
}

function addCopy(cli: Cli, program: Command): void {
  const command = cli.add(program, {
    name: "cp",
    summary: "copy an object, or with -r all below a path",
    details:
      "Bytes are copied as they are. A target that is a bucket, a local directory or ends in a slash gets the copy " +
      "under the source's name; with -r, what is below FROM comes to the same place below TO. " +
      "Writes are atomic. Continues past failures and lists them at the end.",
    examples: [
      ["stowage cp report.csv s3://lake@bucket/reports/", "upload a file"],
      ["stowage cp -r s3://lake@bucket/reports gs://bucket/reports", "from one cloud to another"],
      ["pg_dump db | stowage cp --compression zstd - s3://lake@bucket/db.sql.zst", "store a stream, compressed"],
    ],
  });
  command
    .usage("[options] <from...> <to>")
    .argument("<paths...>", 'FROM: paths, also with wildcards, or "-" for stdin; TO: a path, or "-" for stdout')
    .option("-r, --recursive", "everything below FROM")
    .addOption(aliasFlag("-R"))
    .option("-n, --dry-run", "only print what would be copied")
    .option("--if-absent", "fail where something is already")
    .option("--follow-links", "with -r, of files: copy what is behind links to directories")
    .addOption(compressionOption("encode what comes from stdin, decode what goes to stdout"));
  command.option(
    "--checksum <name=value>",
    "of one file or stdin: md5, crc32c or sha256, which the copy must have",
    checksum,
  );
  addAttributes(command);
  addEncryption(command);
  command.action(cli.run(copy));
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
    .usage("[options] <from...> <to>")
    .argument("<paths...>", "FROM: paths, also with wildcards; TO: a path")
    .option("-r, --recursive", "everything below FROM")
    .addOption(aliasFlag("-R"))
    .option("-n, --dry-run", "only print what would be moved")
    .option("--if-absent", "fail where something is already")
    .action(cli.run(move));
}

interface CatOptions {
  compression?: Compression;
  start?: number;
  end?: number;
  last?: number;
  customerKey?: string;
}

/** Maximum bytes of an object printed as JSON. */
const MAX_JSON = 64 * 2 ** 20;

async function cat(session: Session, texts: string[], options: CatOptions): Promise<void> {
  session.endsWithReader();
  const { compression = null, start, end, last } = options;
  const { io, storage, signal } = session;
  const customerKey = await customerKeyIn(session, options.customerKey);
  for (const path of await expandSources(session, texts)) {
    const body = storage.read(path, { compression, start, end, last, customerKey, signal });
    await onOneObject(session, path, "", async () => {
      if (session.json) await jsonLine(io.stdout, { path, ...asText(await collect(body, { max: MAX_JSON })) });
      else for await (const chunk of body) await put(io.stdout, chunk);
    });
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

interface CopyOptions extends AttributeOptions, EncryptionOptions {
  checksum?: ReturnType<typeof checksum>;
  R?: boolean;
  dryRun?: boolean;
  compression?: Compression;
  recursive?: boolean;
  ifAbsent?: boolean;
  followLinks?: boolean;
}

async function copy(session: Session, paths: string[], given: CopyOptions): Promise<void> {
  const options = withRecursive(given);
  const [from, to] = paths;
  if (paths.includes("-") && from !== undefined && to !== undefined) {
    if (paths.length > 2) throw invalid("stdin and stdout are one stream: they take one object");
    if (options.dryRun) throw invalid("--dry-run is for copies of objects");
    return from === "-" ? uploadStdin(session, to, options) : downloadToStdout(session, from, options);
  }
  if (options.compression !== undefined) throw invalid(RECODING);
  await transfer(session, paths, options, "copy");
}

const RECODING =
  "cp copies bytes as they are; to recode: stowage cat --compression infer FROM | stowage cp --compression CODEC - TO";

async function move(session: Session, paths: string[], options: CopyOptions): Promise<void> {
  if (paths.includes("-")) throw invalid("only cp reads stdin and writes stdout");
  await transfer(session, paths, withRecursive(options), "move");
}

/** `-R` is `-r`. */
function withRecursive({ R, ...options }: CopyOptions): CopyOptions {
  return R ? { ...options, recursive: true } : options;
}

/** Whole trees copied or moved in parallel: each of them copies several objects at once. */
const PARALLEL_TREES = 4;

type Verb = "copy" | "move";

async function transfer(session: Session, paths: string[], options: CopyOptions, verb: Verb): Promise<void> {
  const to = paths.at(-1)!;
  const texts = paths.slice(0, -1);
  if (texts.length === 0)
    throw invalid(`missing required argument 'to'; see: stowage ${verb === "copy" ? "cp" : "mv"} --help`);
  const { recursive = false } = options;
  const sources = await expandSources(session, texts, { recursive });
  // What a pattern matches is never named like the pattern: that would be no pattern.
  if (texts.length === 1 && String(sources[0]) === String(session.path(texts[0]!)))
    return one(
      session,
      sources[0]!,
      recursive ? session.path(to) : await session.target(to, sources[0]!),
      options,
      verb,
    );
  if (!(await session.isInto(to)))
    throw invalid(`several sources go into a directory, which ends in a slash: ${printable(to)}/`);
  const target = session.path(to);
  const names = new Set(sources.map(({ name }) => name));
  if (names.size < sources.length)
    throw invalid("two sources have the same name, and one copy would replace the other");
  await all(session, sources, target, options, verb);
}

/** Transfers each source under its name; continues after failures and throws one BatchError for all at the end. */
async function all(
  session: Session,
  sources: readonly StoragePath[],
  target: StoragePath,
  options: CopyOptions,
  verb: Verb,
): Promise<void> {
  const batch = new Batch();
  const { signal } = session;
  const concurrency = options.recursive ? PARALLEL_TREES : OBJECTS_IN_PARALLEL;
  await session.transfer(
    pluralize(sources.length, "source"),
    async () => undefined,
    async (bar) => {
      const onProgress = summed((done) => bar.at(done));
      await forEachConcurrent(sources, { concurrency, signal }, async (source) => {
        try {
          const shared = { onProgress: onProgress(), file: () => bar.file(), clear: () => bar.end() };
          await one(session, source, target.join(source.name), options, verb, shared);
          batch.done(1);
        } catch (error) {
          if (signal.aborted) throw error;
          if (isBatchError(error)) for (const failed of error.failures) batch.fail(failed);
          else batch.fail({ path: String(source), error });
        }
      });
    },
  );
  batch.check(verb, String(target), verb === "copy" ? "not copied" : "not moved");
}

/** The bar of several transfers. */
interface Shared {
  onProgress: ((bytes: number) => void) | undefined;
  /** Counts a file of a directory as done. */
  file(): void;
  clear(): void;
}

function one(...transfer: Parameters<typeof send>): Promise<void> {
  const [session, source, , { recursive }, verb] = transfer;
  if (recursive) return send(...transfer);
  return onOneObject(session, source, `; ${verb} that with -r`, () => send(...transfer));
}

async function send(
  session: Session,
  source: StoragePath,
  target: StoragePath,
  options: CopyOptions,
  verb: Verb,
  shared?: Shared,
): Promise<void> {
  const { recursive = false, ifAbsent = false, followLinks, attributes, dryRun } = options;
  const { storage, signal } = session;
  const total = async () => (recursive ? undefined : sizeOf(session, source));
  if (verb === "move" && source.equals(target)) throw invalid(`${source} would be moved onto itself; it stays`);
  const tree = recursive && !(shared && (await storage.exists(source, { signal })));
  if (dryRun) return printDryRun(session, source, target, { recursive: tree, ifAbsent, followLinks }, verb);
  const customerKey = await customerKeyIn(session, options.sourceCustomerKey);
  // A copy is written with the key of its source, unless it is to have another encryption; files have none.
  const plain = customerKey && providerOf(target.scheme) === "file" ? {} : undefined;
  const encryption = (await encryptionIn(session, options)) ?? plain;
  const replace = attributesIn(options);
  const copying = { recursive: tree, ifAbsent, followLinks, attributes, replace, encryption, customerKey, signal };
  if (options.checksum) {
    if (shared || recursive || attributes !== undefined) throw invalid(CHECKED);
    const { checksum } = options;
    await session.transfer(source.name, total, (bar) =>
      verified(
        session,
        source,
        target,
        { ...replace, ifAbsent, encryption, checksum, onProgress: (done) => bar.at(done) },
        customerKey,
      ),
    );
  } else if (shared) {
    await storage[verb](source, target, { ...copying, onProgress: shared.onProgress, onStep: shared.file });
    if (!tree) shared.file();
  } else
    await session.transfer(source.name, total, (bar) => {
      const onStep = recursive ? () => bar.file() : undefined;
      return storage[verb](source, target, { ...copying, onProgress: (done) => bar.at(done), onStep });
    });
  const action = verb === "copy" ? "copied" : "moved";
  // The line would begin behind the bar.
  shared?.clear();
  await session.say({ action, from: source, to: target }, printable(`${action} ${source} to ${target}`));
}

const CHECKED = "--checksum is of one file or object: leave out -r, --attributes and further sources";

/** Copies the bytes through this process. Only where files are at one end, which have no attributes to keep. */
async function verified(
  { storage, signal }: Session,
  source: StoragePath,
  target: StoragePath,
  options: WriteOptions,
  customerKey: Secret | undefined,
): Promise<void> {
  if (![source, target].some(({ scheme }) => providerOf(scheme) === "file"))
    throw invalid("--checksum is for uploads and downloads: one of FROM and TO must be a file");
  const object = await storage.get(source, { customerKey, signal });
  await storage.write(target, object, { ...options, size: object.info.size, signal });
}

/** Prints what a transfer would do; fails where it would, as far as listings show it. */
async function printDryRun(
  session: Session,
  source: StoragePath,
  target: StoragePath,
  { recursive, ifAbsent, followLinks }: { recursive: boolean; ifAbsent: boolean; followLinks: boolean | undefined },
  verb: Verb,
): Promise<void> {
  const { storage, signal } = session;
  const batch = new Batch();
  const tell = async (from: StoragePath, to: StoragePath) => {
    if (ifAbsent && (await storage.exists(to, { signal })))
      return batch.fail({
        path: String(from),
        error: failure("AlreadyExists", "there is something").at(verb, String(to)),
      });
    const action = verb === "copy" ? "copied" : "moved";
    batch.done(1);
    await session.say({ action, from, to, dryRun: true }, printable(`would ${verb} ${from} to ${to}`));
  };
  if (!recursive) {
    await storage.stat(source, { signal });
    await tell(source, target);
  } else
    for await (const { path, type, detail = "no regular file" } of storage.list(source, {
      recursive,
      followLinks,
      signal,
    })) {
      if (type === "file") await tell(path, target.join(path.relativeTo(source)));
      else batch.fail({ path: String(path), error: failure("Unsupported", detail).at(verb, String(path)) });
    }
  batch.check(verb, String(source), `would not be ${verb === "copy" ? "copied" : "moved"}`);
  if (batch.untouched) {
    const one = recursive && source.key !== "" && (await storage.exists(source, { signal }));
    const advice = one ? `: it is one object, which ${verb} takes without recursive` : "";
    throw failure("NotFound", `there is nothing below this path${advice}`).at(verb, String(source));
  }
}

/** Only for the bar: the following operation reports a missing object. */
async function sizeOf({ storage, signal }: Session, path: StoragePath): Promise<number | undefined> {
  return storage.stat(path, { signal }).then(
    ({ size }) => size,
    () => undefined,
  );
}

async function uploadStdin(session: Session, to: string, options: CopyOptions): Promise<void> {
  const { compression = null, ifAbsent = false, attributes, recursive } = options;
  if (attributes !== undefined) throw invalid("stdin has no attributes: --attributes is for copies of objects");
  if (to === "-" || recursive) throw invalid("stdin is one stream: it goes to one object");
  if (to.endsWith("/")) throw invalid(`stdin has no name: name the object below ${to}`);
  const { storage, signal, io } = session;
  const target = session.path(to);
  if (options.sourceCustomerKey !== undefined) throw invalid("stdin is not encrypted: leave out --source-customer-key");
  const encryption = await encryptionIn(session, options);
  const stored = await session.transfer(
    target.name,
    async () => undefined,
    async (bar) => {
      const onProgress = (done: number) => bar.at(done);
      const settings = { ...attributesIn(options), encryption, checksum: options.checksum };
      await storage.write(target, io.stdin, { ...settings, compression, ifAbsent, signal, onProgress });
      return bar.done;
    },
  );
  await session.say({ action: "wrote", to: target, bytes: stored }, printable(`wrote ${bytes(stored)} to ${target}`));
}

async function downloadToStdout(session: Session, from: string, options: CopyOptions): Promise<void> {
  const { recursive, compression, attributes } = options;
  if (attributes !== undefined || attributesIn(options) || options.checksum || (await encryptionIn(session, options)))
    throw invalid("stdout takes bytes, and no attributes, checksum or encryption");
  if (recursive) throw invalid("stdout is one stream: it takes one object");
  if (session.json) throw invalid("stdout takes the object; for JSON: stowage cat --json");
  const { sourceCustomerKey: customerKey } = options;
  await cat(session, [from], {
    ...(compression !== undefined && { compression }),
    ...(customerKey !== undefined && { customerKey }),
  });
}
