/** The sources of references that commands read. */
import { isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { claimReferences, claimsLayout } from "../../claims/index.js";
import { invalid } from "../../errors.js";
import type { StoragePath } from "../../path.js";
import type { ObjectLayout } from "../../references.js";
import { dbosReferences } from "../../runtimes/dbos.js";
import { langgraphReferences } from "../../runtimes/langgraph.js";
import type { ByteStream } from "../../streams.js";
import { lineReferences, type ReferenceSource, rowReferences, rowRewriter } from "../../xcom/index.js";
import type { Session } from "../command.js";
import { type Io, printable, unreadable } from "../format.js";
import { listOf, seconds } from "../options.js";
import { type OpenedSource, openPostgres, openReferences, openRest, openRewriter } from "./rows.js";
import { openTemporal } from "./temporal.js";

export interface SourceOptions {
  database?: string | true;
  rest?: string;
  refs?: string[];
  langgraph?: string | true;
  dbos?: string | true;
  schema?: string;
  temporal?: string | true;
  temporalUrl?: string[];
  claims?: boolean;
  refreshAfter?: number;
}

/** Adds the options that name sources. */
export function withSources(command: Command): Command {
  return command
    .option("--database [address]", "Airflow's database; else AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
    .option("--refs <file>", 'a file of references, "-" for stdin; can be repeated', listOf)
    .option("--rest <address>", "Airflow's REST API, with the token in AIRFLOW_API_TOKEN: current attempts only");
}

/** Adds the options by which objects are those of claims. */
export function withClaims(command: Command): Command {
  return command
    .option("--langgraph [address]", "objects are LangGraph's, references in its tables; else DATABASE_URL")
    .option("--dbos [address]", "objects are those of DBOS, references in its tables; else DATABASE_URL")
    .option("--schema <name>", "the schema of these tables, if it is not the default")
    .option("--temporal [address]", "objects are Temporal's, references in ADDRESS/NAMESPACE; else TEMPORAL_ADDRESS")
    .option(
      "--temporal-url <url>",
      "the url of Temporal's driver, or BUCKET=URL; repeatable; the bucket of PATH is known",
      listOf,
    )
    .option("--claims", "objects are those of stowage/claims, references in --refs");
}

/** `--refresh-after TIME`, of the writers of claims. */
export function refreshOption(command: Command): Command {
  return command.option(
    "--refresh-after <time>",
    "the refreshAfter of every writer of these claims, such as 12h",
    seconds,
  );
}

/** Returns which names are objects; undefined for XComs. */
export function layoutOf({ refreshAfter, ...options }: SourceOptions): ObjectLayout | undefined {
  if (isOfClaims(options)) return claimsLayout(refreshAfter === undefined ? {} : { refreshAfter: refreshAfter * 1000 });
  if (refreshAfter !== undefined) throw invalid(`--refresh-after is for claims: ${CLAIMS}`);
  return undefined;
}

const CLAIMS = "--claims, --langgraph, --dbos or --temporal";

function isOfClaims({ langgraph, dbos, temporal, claims = false }: SourceOptions): boolean {
  return claims || [langgraph, dbos, temporal].some((one) => one !== undefined);
}

/**
 * Returns whether sources without a reference are as they should be if there is no object either: a database of a new
 * Airflow, and never a file, which would be the wrong one.
 */
export function hasNone(options: SourceOptions, found: { references: number; elsewhere: number }): boolean {
  return options.refs === undefined && found.references + found.elsewhere === 0;
}

export const NOTHING_YET = "There is no object below this path, and no row that refers to one: none was stored yet.";

export interface OpenedSources {
  sources: readonly ReferenceSource[];
  close(): Promise<void>;
}

/** How sources are opened. */
interface OpenOptions {
  optional?: boolean;
  isRewriting?: boolean;
  /** Whether a file must end with a line end: one that was cut off has no more references to what it left out. */
  isWhole?: boolean;
  /** Where the objects are. */
  path?: StoragePath | undefined;
}

/** Opens all sources that the options name; throws InvalidArgument if there are none, unless they are `optional`. */
export async function openSources(
  session: Session,
  options: SourceOptions,
  { optional = false, isRewriting = false, isWhole = false, path }: OpenOptions = {},
): Promise<OpenedSources> {
  const { database, rest, refs = [], langgraph, dbos, temporal } = options;
  const named = [database, rest, langgraph, dbos, temporal, ...refs].filter((one) => one !== undefined);
  if (!optional && named.length === 0) throw invalid("name the references: --database, or --refs FILE");
  checkSources(options, refs);
  const opened: OpenedSource[] = [];
  const close = async () => {
    for (const source of opened) await source.close();
  };
  const { schema } = options;
  try {
    if (database !== undefined) opened.push(await (isRewriting ? openRewriter : openReferences)(session, database));
    if (rest !== undefined) opened.push(await openRestReferences(session, rest, isRewriting));
    if (langgraph !== undefined)
      opened.push(await openPostgres(session, langgraph, (query) => langgraphReferences(query, { schema })));
    if (dbos !== undefined)
      opened.push(await openPostgres(session, dbos, (query) => dbosReferences(query, { schema })));
    if (temporal !== undefined) opened.push(await openTemporal(session, temporal, options.temporalUrl, path));
  } catch (error) {
    await close();
    throw error;
  }
  const ofLines = isOfClaims(options) ? claimReferences : lineReferences;
  const lines = refs.map((file) => ofLines(linesOf(session, file, isWhole), file));
  return { sources: [...lines, ...opened.map(({ source }) => source)], close };
}

/** Throws InvalidArgument for options that contradict each other, or belong to another one that is missing. */
function checkSources(options: SourceOptions, refs: readonly string[]): void {
  const { database, rest, langgraph, dbos, schema, temporal, temporalUrl } = options;
  if (isOfClaims(options) && (database ?? rest) !== undefined)
    throw invalid("--database and --rest have references to XComs, not to claims");
  if (refs.filter((file) => file === "-").length > 1) throw invalid("--refs - is given twice; there is one stdin");
  if (schema !== undefined && (langgraph === undefined) === (dbos === undefined))
    throw invalid("--schema is that of either --langgraph or --dbos");
  if (temporalUrl !== undefined && temporal === undefined) throw invalid("--temporal-url is for --temporal");
}

async function openRestReferences(session: Session, address: string, isRewriting: boolean): Promise<OpenedSource> {
  const { rows, close } = await openRest(session, address);
  return { source: (isRewriting ? rowRewriter : rowReferences)(rows, "Airflow's REST API"), close };
}

/** Maximum characters of a line: no path is longer. */
const MAX_LINE = 8192;

async function* linesOf({ io }: Session, file: string, isWhole: boolean): AsyncGenerator<string> {
  const name = file === "-" ? "stdin" : file;
  const stream: ByteStream = file === "-" ? io.stdin : fileStream(io, file);
  let [rest, count]: [Uint8Array, number] = [new Uint8Array(0), 0];
  for await (const chunk of stream) {
    const bytes = Buffer.concat([rest, chunk]);
    const end = bytes.lastIndexOf("\n") + 1;
    rest = bytes.subarray(end);
    const lines = decodedLines(bytes.subarray(0, end), name, count);
    // Behind the last line end is the next line.
    lines.pop();
    count += lines.length;
    yield* lines;
    if (rest.length > MAX_LINE) {
      // Compressed data need not have a line end at all.
      decodedLines(rest, name, count);
      throw invalid(`a line of ${name} is longer than any reference`);
    }
  }
  yield* decodedLines(rest, name, count);
  if (isWhole && rest.length > 0)
    throw invalid(
      `the last line of ${printable(name)} has no line end, as in a file that was cut off: add one if it is whole`,
    );
}

async function* fileStream({ cwd }: Io, file: string): ByteStream {
  try {
    yield* createReadStream(resolve(cwd, file));
  } catch (cause) {
    throw unreadable(`--refs ${file}`, cause);
  }
}

/** Decodes whole lines, which come after `count` others. Throws InvalidArgument for what is no text in UTF-8. */
function decodedLines(bytes: Uint8Array, name: string, count: number): string[] {
  const text = new TextDecoder().decode(bytes);
  // UTF-16 has a NUL beside each letter of a reference. U+FFFD stands for what could not be decoded, but is a character.
  const bad = text.search(isUtf8(bytes) ? /\0/ : /[\0\ufffd]/);
  if (bad < 0) return text.split(/\r?\n/);
  const line = count + text.slice(0, bad).split("\n").length;
  throw invalid(`line ${line} of ${printable(name)} is no text in UTF-8; ${fixFor(bytes, line)}`);
}

function fixFor([first, second]: Uint8Array, line: number): string {
  if (line === 1 && first === 0x1f && second === 0x8b) return "it is gzip: decompress it first, with gunzip";
  return "references are one a line, not compressed: convert the file, as iconv -f UTF-16 -t UTF-8 does";
}
