/** The sources of references that commands read. */
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { invalid } from "../../errors.js";
import type { ByteStream } from "../../streams.js";
import { lineReferences, type ReferenceSource, rowReferences, rowRewriter } from "../../xcom/index.js";
import type { Session } from "../command.js";
import { listOf } from "../options.js";
import { type OpenedSource, openReferences, openRest, openRewriter } from "./rows.js";

export interface SourceOptions {
  database?: string | true;
  rest?: string;
  refs?: string[];
}

/** Adds the options that name sources. */
export function withSources(command: Command): Command {
  return command
    .option("--database [address]", "Airflow's database; else AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
    .option("--refs <file>", 'a file of references, "-" for stdin; can be repeated', listOf)
    .option("--rest <address>", "Airflow's REST API, with the token in AIRFLOW_API_TOKEN: current attempts only");
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
  const { database, rest, refs = [] } = options;
  if (!optional && database === undefined && rest === undefined && refs.length === 0)
    throw invalid("name the references: --database, or --refs FILE");
  if (refs.filter((file) => file === "-").length > 1) throw invalid("--refs - is given twice; there is one stdin");
  const opened: OpenedSource[] = [];
  const close = async () => {
    for (const source of opened) await source.close();
  };
  try {
    if (database !== undefined) opened.push(await (isRewriting ? openRewriter : openReferences)(session, database));
    if (rest !== undefined) opened.push(await openRestReferences(session, rest, isRewriting));
  } catch (error) {
    await close();
    throw error;
  }
  const lines = refs.map((file) => lineReferences(linesOf(session, file), file));
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
