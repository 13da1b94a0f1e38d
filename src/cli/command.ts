/** Reports a failure as one line with advice, and determines its exit code. */

import { existsSync } from "node:fs";
import { lstat, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import { type BatchError, invalid, isBatchError, isStorageError, type StorageError } from "../errors.js";
import type { Storage } from "../fs/index.js";
import { openStorage } from "../open.js";
import { providerOf, StoragePath } from "../path.js";
import type { OperationProgress } from "../xcom/index.js";
import { ClosedOutput, type Io, isClosedPipe, jsonLine, type Output, printable, put, styled } from "./format.js";
import { PhaseProgress, Progress } from "./progress.js";

/** 0 is success; 1 a failure; 2 an invalid command, refused before any work. */
export type ExitCode = 0 | 1 | 2;

export interface ReportOptions {
  debug?: boolean | undefined;
  json?: boolean | undefined;
  connections?: string | undefined;
  /** The connections that the path could have meant. */
  meant?: string | undefined;
}

/** Reports a failure on stderr; nothing if a command that only prints has lost its reader. */
export function report(io: Io, error: unknown, { debug, json, connections, meant }: ReportOptions): ExitCode {
  const { stderr, signal } = io;
  if (error instanceof ClosedOutput) return 0;
  // Work was done on all entries except these.
  const code = isStorageError(error, "InvalidArgument") && !isBatchError(error) ? 2 : 1;
  const known = isStorageError(error) && !isBatchError(error) ? advice(error, programOf(connections)) : undefined;
  const next = [meant, known].filter(Boolean).join("; ") || undefined;
  if (signal.aborted) stderr.stream.write("stowage: interrupted; incomplete objects were discarded\n");
  else if (json) stderr.stream.write(`${JSON.stringify({ error: { ...asJson(error), next } })}\n`);
  else if (isBatchError(error)) stderr.stream.write(formatFailures(stderr, error));
  else stderr.stream.write(`${styled(stderr, "red", "stowage:")} ${oneLine(error)}${next ? `; ${next}` : ""}\n`);
  if (debug && error instanceof Error) stderr.stream.write(`${stackOf(error)}\n`);
  return signal.aborted ? 1 : code;
}

/** Lists every failure on its own line, and their number. */
function formatFailures(out: Output, { op, path, failures, failureCount, completed }: BatchError): string {
  const mark = styled(out, "red", "stowage:");
  const lines = failures.map(({ path, error }) => {
    const said = isStorageError(error) ? `${error.code}${error.detail ? ` (${error.detail})` : ""}` : String(error);
    const words = inOptions(said);
    return `${mark} ${printable(`${path}: ${words.replace(/\s*\n\s*/g, " ")}`)}\n`;
  });
  if (failureCount > failures.length) lines.push(`${mark} and ${failureCount - failures.length} more\n`);
  const counts = `${failureCount} failed, ${completed} done`;
  return `${lines.join("")}${mark} ${printable(`${op} ${path}`)}: ${counts}\n`;
}

function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  // The command's own refusals concern no path.
  if (isStorageError(error) && error.op === "") return printable(inOptions(error.detail));
  return printable(inOptions(message.replace(/\s*\n\s*/g, " ")));
}

function asJson(error: unknown): object {
  if (!isStorageError(error)) return { message: oneLine(error) };
  const shown = error.toJSON();
  return { ...shown, message: inOptions(error.message) };
}

/** What messages of the library call the options of a program, and what the command has instead. */
const OPTIONS: readonly (readonly [RegExp, string])[] = [
  [/\bdelete and followLinks exclude\b/, "--delete and --follow-links exclude"],
  [
    /: followLinks takes what is behind it, exclude leaves/,
    ": --follow-links takes what is behind it, --exclude leaves",
  ],
  [/\bdelete and trash of sweep\b/, "--delete and --trash"],
  [/\bgraceMs of sweep\b/, "--grace"],
  [/; set force to allow this/, "; --force allows this"],
  [
    /: graceMs must be known: say what refreshAfter their writers have/,
    ": give the refreshAfter of their writers as --refresh-after",
  ],
  [/: graceMs must be at least (\d+)000\b/, ": --grace must be at least $1s"],
  [/, see "as", else raise maxShare\b/, ", name it by --as, else raise --max-share"],
  [/, name that base by "as" too\b/, ", name that base by --as too"],
  [/ or pass it in `connections`/, ""],
  [/(bucket "([^"]*)": say where it is with) the option also\b/, "$1 --temporal-url $2=URL"],
  [/^createBucket /, "mb "],
  [/^deleteBucket /, "rb "],
  [/^listBuckets /, "ls "],
  [/\bcopy takes without recursive\b/, "cp takes without -r"],
  [/\bmove takes without recursive\b/, "mv takes without -r"],
];

function inOptions(text: string): string {
  return OPTIONS.reduce((said, [words, options]) => said.replace(words, options), text);
}

/** Returns how a command that is printed as the next one begins: it needs the same connections. */
export function programOf(connections: string | undefined): string {
  return connections === undefined ? "stowage" : `stowage --connections ${quoted(connections)}`;
}

/** Where `init` writes a connection if neither `--connections` nor the environment names a file. */
export const CONNECTIONS_FILE = "stowage-connections.json";

/** Returns advice on the next step, as far as the code allows. `program` is what a command begins with. */
function advice(error: StorageError, program: string): string | undefined {
  const { code, op, path, detail } = error;
  if (/^(?:list|create|delete)Buckets?$/.test(op)) return adviceOnBuckets(error, program);
  switch (code) {
    case "Unauthenticated":
    case "PermissionDenied":
    case "Unavailable":
    case "Timeout":
    case "Throttled":
      if (path) return `find out more: ${program} doctor ${quoted(bucketOf(path))}`;
      return error.retryable ? "try again later" : undefined;
    case "NotFound":
      if (NO_REFERENCE.test(detail)) return "is it the right one? Without references every object would be an orphan";
      if (NO_BUCKET.test(detail)) return adviceOnMissingBucket(path, program);
      if (ONE_OBJECT.test(detail)) return undefined;
      if (detail.startsWith(ONLY_BELOW)) return `look around: ${program} ls ${quoted(path)}`;
      return path ? `look around: ${program} ls ${quoted(parentOf(path))}` : undefined;
    case "AlreadyExists":
      return "leave out --if-absent to replace it";
    case "CommitUnknown":
      return path ? `see whether it is there: ${program} stat ${quoted(path)}` : undefined;
    case "InvalidArgument":
      return detail.startsWith("no connection ") && !detail.includes("; did you mean ")
        ? "or name the file that has it, such as the one that `stowage init` wrote: --connections FILE"
        : undefined;
    case "Unsupported":
      return path && NOT_PROMISED.test(detail)
        ? `say what the server is in the field provider of the connection: ${program} doctor ${quoted(bucketOf(path))} names the one that fits`
        : undefined;
    default:
      return op === "write" && code === "TooLarge" ? "send it in several objects" : undefined;
  }
}

/** How `sweep`, `report` and `migrate` say that a source is empty: `path` is that of the objects. */
const NO_REFERENCE = / has no reference at all\b/;

/** What the profile of an S3 server does not promise. */
const NOT_PROMISED = /\bthis (?:S3 profile enforces no|provider does not enforce)\b/;

/** How S3, GCS and Azure say that the bucket itself is missing. */
const NO_BUCKET = /\bNoSuchBucket\b|\bContainerNotFound\b|\bbucket does not exist\b/;

/** How the command says that a name is a directory of objects: `detail` of NotFound. */
export const ONLY_BELOW = "there is no object, only something below it";

/** How verbs of trees say that a path is one object: with what takes it. */
const ONE_OBJECT = /: it is one object, which /;

function adviceOnMissingBucket(path: string, program: string): string {
  const bucket = bucketOf(path).replace(/\/$/, "");
  return `look around: ${program} ls ${quoted(accountOf(path))}; or create it: ${program} mb ${quoted(bucket)}`;
}

function adviceOnBuckets({ code, path }: StorageError, program: string): string | undefined {
  if (code === "NotFound") return `look around: ${program} ls ${quoted(accountOf(path))}`;
  if (code !== "PreconditionFailed") return undefined;
  const empty = `${program} rm -r --empty-bucket ${quoted(path)}`;
  return `see what is in it: ${program} ls -r --versions ${quoted(path)}; or empty it: ${empty}`;
}

function accountOf(path: string): string {
  const start = path.indexOf("://") + 3;
  return path.slice(0, Math.max(start, path.indexOf("@", start) + 1));
}

function bucketOf(path: string): string {
  if (path.startsWith("file://")) return parentOf(path);
  const slash = path.indexOf("/", path.indexOf("://") + 3);
  return slash < 0 ? path : path.slice(0, slash + 1);
}

function parentOf(path: string): string {
  const root = path.indexOf("/", path.indexOf("://") + 3);
  const slash = path.lastIndexOf("/");
  return path.slice(0, Math.max(root + 1, slash));
}

/** Quotes text for a shell. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${printable(text).replaceAll("'", "'\\''")}'`;
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by: ${stackOf(error.cause)}` : "";
  return `${error.stack ?? error.message}${cause}`;
}

// Building blocks of all commands.

export interface Description {
  name: string;
  /** One line, for the list of commands. */
  summary: string;
  /** Further help text. */
  details?: string;
  /** Example commands, each with its explanation. */
  examples: readonly (readonly [command: string, purpose: string])[];
}

/** Adds commands to the tree; holds the exit code after one has run. */
export class Cli {
  readonly io: Io;
  exitCode: ExitCode = 0;
  readonly #json: boolean;

  /** `json`: whether errors of the command line itself are printed as JSON. */
  constructor(io: Io, json = false) {
    this.io = io;
    this.#json = json;
  }

  /** Adds a new command below `parent`. */
  add(parent: Command, { name, summary, details, examples }: Description): Command {
    const command = parent
      .command(name)
      .summary(summary)
      .description(details ? `${summary}\n\n${details}` : summary);
    command.configureOutput({ outputError: (text, write) => write(this.usageError(command, text)) });
    command.addHelpText("after", () => this.#examples(examples));
    return command;
  }

  /** Returns an action that runs `work` in its own session, with the command line's arguments and options. */
  run<A extends unknown[]>(work: (session: Session, ...args: A) => Promise<void>) {
    return async (...given: unknown[]): Promise<void> => {
      const command = given.at(-1) as Command;
      const session = new Session(this.io, command.optsWithGlobals<CommonOptions>());
      try {
        await work(session, ...(given.slice(0, -1) as A));
        this.exitCode = session.exitCode;
        if (session.outputError) throw session.outputError;
      } finally {
        await session.close();
      }
    };
  }

  #examples(examples: Description["examples"]): string {
    const { stdout } = this.io;
    const lines = examples.map(([command, purpose]) => `  ${styled(stdout, "dim", `# ${purpose}`)}\n  ${command}`);
    return `\n${styled(stdout, "bold", "Examples:")}\n${lines.join("\n")}`;
  }

  /** Returns Commander's message on one line, or as JSON, in the style of our other errors. */
  usageError(command: Command, text: string): string {
    const said = text
      .replace(/^error: /, "")
      .trim()
      .replace(/\s*\n\s*/g, " ")
      .replace(/\.$/, "");
    const next = `see: ${nameOf(command)} --help`;
    if (this.#json) return `${JSON.stringify({ error: { ...invalid(said).toJSON(), next } })}\n`;
    return `${styled(this.io.stderr, "red", "stowage:")} ${said}; ${next}\n`;
  }
}

/** Returns a command's full name, such as `stowage xcom ls`. */
export function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}

/** Returns the path that a bucket's address on the web stands for, without a query, which may hold a signature. */
function storageUrl(text: string): string | undefined {
  const address = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (!address) return undefined;
  const { hostname, pathname } = address;
  const key = decoded(pathname.slice(1));
  const bucket = /^(.+)\.s3[.-][a-z0-9.-]*amazonaws\.com(\.cn)?$/.exec(hostname)?.[1];
  if (bucket) return `s3://${bucket}/${key}`;
  if (/^s3[.-][a-z0-9.-]*amazonaws\.com(\.cn)?$/.test(hostname)) return `s3://${key}`;
  if (hostname === "storage.googleapis.com") return `gs://${key}`;
  return /\.blob\.core\./.test(hostname) ? `abfs://connection@${key}` : undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// One run of a command: its storage, output and path parsing.

/** The options common to all commands. */
export interface CommonOptions {
  json?: boolean;
  debug?: boolean;
  connections?: string;
}

/** Returns the environment with the file of `--connections`. */
export function envWith({ env, cwd }: Io, { connections }: { connections?: string | undefined }): Io["env"] {
  return connections === undefined ? env : { ...env, STOWAGE_CONNECTIONS_FILE: resolve(cwd, connections) };
}

export class Session {
  io: Io;
  readonly json: boolean;
  /** The environment, including the secrets file from `--connections`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly storage: Storage;
  /** What the commands begin with that are printed as the next ones. */
  readonly program: string;
  /** The exit code of a command that succeeded but has bad news. */
  exitCode: ExitCode = 0;
  /** Why output is missing: a full disk, but not a closed pipe, whose reader has what it wants. */
  outputError: Error | undefined;

  constructor(io: Io, { json = false, connections }: CommonOptions) {
    const onError = (error: Error) => {
      if (!isClosedPipe(error)) this.outputError ??= error;
    };
    // What cannot be printed stops no work, and is no failure of an object; it is reported at the end.
    this.io = { ...io, stdout: { ...io.stdout, onError }, stderr: { ...io.stderr, onError: () => {} } };
    this.json = json;
    this.program = programOf(connections);
    this.env = envWith(io, { connections });
    this.storage = openStorage({ env: this.env });
  }

  get signal(): AbortSignal {
    return this.io.signal;
  }

  /** Ends the command, with 0, once nobody reads its output. For one that does nothing but print, before it begins. */
  endsWithReader(): void {
    const { onError: _, ...stdout } = this.io.stdout;
    this.io = { ...this.io, stdout };
  }

  /** Parses a path argument: a URL, or a file relative to the working directory. */
  path(text: string): StoragePath {
    return parsePath(text, this.io.cwd);
  }

  /** Parses a pattern as `path` does a path: only what was typed is a pattern, not the working directory before it. */
  pattern(text: string): StoragePath {
    return parsePath(text, this.io.cwd.replace(/[*?[{]/g, "[$&]"));
  }

  /**
   * Returns the target of a copy of `source`: the given path or, if that is a directory, the source's name inside it.
   */
  async target(text: string, source: StoragePath): Promise<StoragePath> {
    const path = this.path(text);
    return (await this.isInto(text)) ? path.join(source.name) : path;
  }

  /** Returns whether a target is a directory, into which sources go under their names. */
  async isInto(text: string): Promise<boolean> {
    const path = this.path(text);
    return text.endsWith("/") || path.key === "" || (!isUrl(text) && (await isDirectory(path)));
  }

  /** Prints one result: `value` as JSON, or `text` for a person. */
  say(value: unknown, text: string): Promise<void> {
    return this.json ? jsonLine(this.io.stdout, value) : put(this.io.stdout, `${text}\n`);
  }

  /** Runs a transfer with a progress bar. Requests the total only if a bar is shown. */
  async transfer<T>(label: string, total: () => Promise<number | undefined>, work: (bar: Progress) => Promise<T>) {
    const { stderr } = this.io;
    const bar = new Progress(stderr, label, stderr.terminal ? await total() : undefined);
    try {
      return await work(bar);
    } finally {
      bar.end();
    }
  }

  /** Runs an operation with a line of its progress on a terminal; none with `--json`. */
  async watched<T>(work: (line: { at?: (progress: OperationProgress) => void; clear: () => void }) => Promise<T>) {
    const line = new PhaseProgress(this.io.stderr);
    try {
      return await work({ ...(!this.json && { at: (progress) => line.at(progress) }), clear: () => line.end() });
    } finally {
      line.end();
    }
  }

  close(): Promise<void> {
    return this.storage.close();
  }
}

/** Also by way of a link, as `latest -> 2026-01`: else the copy would take the place of the link. */
async function isDirectory({ key }: StoragePath): Promise<boolean> {
  return stat(`/${key}`).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

/** Returns whether a local path is a symbolic link, including a dangling one. */
export async function isLink({ scheme, key }: StoragePath): Promise<boolean> {
  if (providerOf(scheme) !== "file") return false;
  return lstat(`/${key}`).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  );
}

function parsePath(text: string, folder: string): StoragePath {
  if (text === "") throw invalid("a path is empty");
  const meant = storageUrl(text);
  if (meant) throw invalid(`a path is no web address: write ${meant}`);
  const quotedPath = /^"(\w[\w+.-]*:\/\/.*)"$/.exec(text)?.[1];
  if (quotedPath) throw invalid(`the path is in quotes, as JSON: write ${printable(quotedPath)}`);
  if (!isUrl(text)) checkScheme(text, folder);
  if (isUrl(text)) return urlPath(text);
  return StoragePath.of({ scheme: "file", bucket: "", key: resolve(folder, text).slice(1) });
}

/** Throws for a URL whose scheme was forgotten or misspelled, unless there is a file of that name. */
function checkScheme(text: string, folder: string): void {
  const [first = ""] = text.split("/", 1);
  const url = /^[\w.-]+@[\w.-]+$/.test(first)
    ? `s3://${text}`
    : text.startsWith(`${first}//`) && providerOf(first.toLowerCase()) !== undefined && text.replace("//", "://");
  if (!url || existsSync(resolve(folder, first))) return;
  throw invalid(`is ${printable(text)} a URL, ${printable(url)}? A file of that name is ./${printable(text)}`);
}

/** Whether this is a URL and no name of a file: a scheme and a slash, or the scheme of a provider. */
function isUrl(text: string): boolean {
  const [, scheme, slash] = /^([A-Za-z][A-Za-z0-9+.-]*):(\/?)/.exec(text) ?? [];
  return scheme !== undefined && (slash === "/" || providerOf(scheme.toLowerCase()) !== undefined);
}

function urlPath(text: string): StoragePath {
  if (/^(?:[^:]*:\/\/|(?:file|local):\/)/i.test(text)) return StoragePath.parse(text);
  throw invalid(`${printable(text)} has no :// after its scheme; a file of that name is ./${printable(text)}`);
}
