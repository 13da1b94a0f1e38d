/** What the command line sees of the world. Everything else gets it as an argument. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { single } from "../fs/bytes.js";
import type { Bytes } from "../fs/driver.js";

/** A stream that people or programs read. */
export interface Output {
  readonly stream: NodeJS.WritableStream;
  /** Whether it is a terminal, so that a bar can be drawn on it. */
  readonly terminal: boolean;
  readonly color: boolean;
  /** Characters in a line; undefined where lines have no end, as in a file. */
  readonly columns: number | undefined;
}

export interface Io {
  readonly stdin: Bytes;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborts at Ctrl-C. */
  readonly signal: AbortSignal;
}

/** The process itself. */
export function processIo(signal: AbortSignal): Io {
  const { stdin, stdout, stderr, env } = process;
  return { stdin, stdout: output(stdout, env), stderr: output(stderr, env), env, cwd: process.cwd(), signal };
}

/** Colours on a terminal that can show them, unless https://no-color.org is set; `FORCE_COLOR` asks for them anywhere. */
function output(stream: NodeJS.WriteStream, env: Io["env"]): Output {
  const terminal = stream.isTTY === true;
  const color = env.NO_COLOR ? false : forced(env.FORCE_COLOR) || (terminal && env.TERM !== "dumb");
  return { stream, terminal: terminal && env.TERM !== "dumb", color, columns: stream.columns };
}

function forced(text: string | undefined): boolean {
  return text !== undefined && text !== "" && text !== "0";
}

/** What is in a file; `-` is stdin. */
export async function input({ stdin, cwd }: Io, file: string): Promise<Bytes> {
  return file === "-" ? stdin : single(await readFile(resolve(cwd, file)));
}

/** Writes and waits until there is room; an error of the stream, a closed pipe above all, rejects. */
export function put({ stream }: Output, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data as string, (error) => (error ? reject(error) : resolve()));
  });
}
