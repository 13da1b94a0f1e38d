/** The sources of references that commands read. */
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { claimReferences, claimsLayout } from "../../claims/index.js";
import { invalid } from "../../errors.js";
import type { ObjectLayout } from "../../references.js";
import { dbosReferences } from "../../runtimes/dbos.js";
import { langgraphReferences } from "../../runtimes/langgraph.js";
import type { ByteStream } from "../../streams.js";
import { lineReferences, type ReferenceSource, rowReferences, rowRewriter } from "../../xcom/index.js";
import type { Session } from "../command.js";
import { listOf, seconds } from "../options.js";
import { type OpenedSource, openPostgres, openReferences, openRest, openRewriter } from "./rows.js";

export interface SourceOptions {
  database?: string | true;
  rest?: string;
  refs?: string[];
  langgraph?: string | true;
  dbos?: string | true;
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
    .option("--claims", "objects are those of stowage/claims, references in --refs");
}

/** `--refresh-after TIME`, of the writers of claims. */
export function refreshOption(command: Command): Command {
  return command.option(
    "--refresh-after <time>",
    "the refreshAfter of all that writes these claims, in seconds",
    seconds,
  );
}

/** Returns which names are objects; undefined for XComs. */
export function layoutOf({ refreshAfter, ...options }: SourceOptions): ObjectLayout | undefined {
  if (isOfClaims(options)) return claimsLayout(refreshAfter === undefined ? {} : { refreshAfter: refreshAfter * 1000 });
  if (refreshAfter !== undefined) throw invalid("--refresh-after is for claims: --claims, --langgraph or --dbos");
  return undefined;
}

function isOfClaims({ langgraph, dbos, claims = false }: SourceOptions): boolean {
  return claims || langgraph !== undefined || dbos !== undefined;
}

export interface OpenedSources {
  sources: readonly ReferenceSource[];
  close(): Promise<void>;
}

/** Opens all sources that the options name; throws InvalidArgument if there are none, unless they are `optional`. */
export async function openSources(
  session: Session,
  options: SourceOptions,
  { optional = false, isRewriting = false }: { optional?: boolean; isRewriting?: boolean } = {},
): Promise<OpenedSources> {
  const { database, rest, refs = [], langgraph, dbos } = options;
  const named = [database, rest, langgraph, dbos, ...refs].filter((one) => one !== undefined);
  if (!optional && named.length === 0) throw invalid("name the references: --database, or --refs FILE");
  if (isOfClaims(options) && (database ?? rest) !== undefined)
    throw invalid("--database and --rest have references to XComs, not to claims");
  if (refs.filter((file) => file === "-").length > 1) throw invalid("--refs - is given twice; there is one stdin");
  const opened: OpenedSource[] = [];
  const close = async () => {
    for (const source of opened) await source.close();
  };
  try {
    if (database !== undefined) opened.push(await (isRewriting ? openRewriter : openReferences)(session, database));
    if (rest !== undefined) opened.push(await openRestReferences(session, rest, isRewriting));
    if (langgraph !== undefined) opened.push(await openPostgres(session, langgraph, langgraphReferences));
    if (dbos !== undefined) opened.push(await openPostgres(session, dbos, dbosReferences));
  } catch (error) {
    await close();
    throw error;
  }
  const ofLines = isOfClaims(options) ? claimReferences : lineReferences;
  const lines = refs.map((file) => ofLines(linesOf(session, file), file));
  return { sources: [...lines, ...opened.map(({ source }) => source)], close };
}

async function openRestReferences(session: Session, address: string, isRewriting: boolean): Promise<OpenedSource> {
  const { rows, close } = await openRest(session, address);
  return { source: (isRewriting ? rowRewriter : rowReferences)(rows, "Airflow's REST API"), close };
}

/** Maximum characters of a line: no path is longer. */
const MAX_LINE = 8192;

async function* linesOf({ io }: Session, file: string): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let rest = "";
  const stream: ByteStream = file === "-" ? io.stdin : createReadStream(resolve(io.cwd, file));
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/);
    rest = lines.pop()!;
    if (rest.length > MAX_LINE) throw invalid(`a line of ${file} is longer than any reference`);
    yield* lines;
  }
  yield rest + decoder.decode();
}
