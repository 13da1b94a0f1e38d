/** Formats numbers, times and text for people. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type ErrorCode, failure } from "../errors.js";
import { type ByteStream, single } from "../streams.js";

export { bytesText as bytes } from "../xcom/index.js";

/** Formats a date in the reader's local time, to the second. */
export function moment(date: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Formats seconds as `1:05` or `2:03:04`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34 } as const;

export type Style = keyof typeof STYLES;

export function styled({ color }: Output, style: Style, text: string): string {
  return color ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text;
}

/** Makes control and bidirectional characters visible, which could otherwise manipulate a terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (c) => {
    const code = c.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}

/** Wraps text that begins at column `indent` at spaces; a word longer than a line stays whole. */
export function wrapped({ columns }: Output, indent: number, text: string): string {
  const room = (columns ?? Number.POSITIVE_INFINITY) - indent;
  if (text.length <= room || room < 20) return text;
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + word.length > room) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines.join(`\n${" ".repeat(indent)}`);
}

/** Prints rows of a name and a value, with aligned values. */
export async function facts(out: Output, rows: readonly (readonly [string, string])[]): Promise<void> {
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) {
    await put(out, `${styled(out, "dim", name.padEnd(width))}  ${wrapped(out, width + 2, value)}\n`);
  }
}

/** Prints one JSON value on its own line. */
export function jsonLine(out: Output, value: unknown): Promise<void> {
  return put(out, `${JSON.stringify(value)}\n`);
}

// The command line's interface to the process; all other code gets it as an argument.

/** An output stream for people or programs. */
export interface Output {
  readonly stream: NodeJS.WritableStream;
  /** Whether the stream is a terminal, so that it can show a bar. */
  readonly terminal: boolean;
  readonly color: boolean;
  /** Characters per line; undefined without a line limit, as in a file. */
  readonly columns: number | undefined;
  /** Receives the error of a write, which else rejects. */
  readonly onError?: (error: Error) => void;
}

export interface Io {
  readonly stdin: ByteStream;
  /** Stdin, if it is a terminal that can be asked. */
  readonly terminalIn?: NodeJS.ReadableStream | undefined;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Returns the interface to the process itself. */
export function processIo(signal: AbortSignal): Io {
  const { stdin, stdout, stderr, env } = process;
  const outputs = { stdout: output(stdout, env), stderr: output(stderr, env) };
  return { stdin, terminalIn: stdin.isTTY ? stdin : undefined, ...outputs, env, cwd: process.cwd(), signal };
}

/** Uses colours on a terminal that supports them, unless https://no-color.org is set; `FORCE_COLOR` forces them. */
function output(stream: NodeJS.WriteStream, env: Io["env"]): Output {
  const terminal = stream.isTTY === true;
  const color = env.NO_COLOR ? false : forced(env.FORCE_COLOR) || (terminal && env.TERM !== "dumb");
  return { stream, terminal: terminal && env.TERM !== "dumb", color, columns: stream.columns };
}

function forced(text: string | undefined): boolean {
  return text !== undefined && text !== "" && text !== "0";
}

/** Opens a file; `-` is stdin. */
export async function input({ stdin, cwd }: Io, file: string): Promise<ByteStream> {
  if (file === "-") return stdin;
  const bytes = await readFile(resolve(cwd, file)).catch((cause: unknown) => {
    throw unreadable(file, cause);
  });
  return single(bytes);
}

const FILE_ERRORS: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "NotFound",
  EACCES: "PermissionDenied",
  EIO: "Unavailable",
};

/** Returns the error for a file on the command line that cannot be read. */
export function unreadable(name: string, cause: unknown): Error {
  const code = FILE_ERRORS[(cause as NodeJS.ErrnoException).code ?? ""] ?? "InvalidArgument";
  return failure(code, `${name} cannot be read: ${messageOf(cause)}`, { cause });
}

/** Writes and waits for room. */
export function put({ stream, onError }: Output, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data as string, (error) => {
      if (error && !onError) return reject(isClosedPipe(error) ? new ClosedOutput() : error);
      if (error) onError?.(error);
      resolve();
    });
  });
}

/** The reader of the output has closed it, as `head` does. */
export class ClosedOutput extends Error {}

export function isClosedPipe(error: Error & { code?: string }): boolean {
  return error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED";
}

/** Formats a count with a comma at each thousand. */
export function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Failures that are printed for people; JSON has up to 1,000. */
const PRINTED_FAILURES = 10;

/** Prints the first failures, one a line, and how many of `count` are not among them. */
export async function putFailures(out: Output, failures: readonly string[], count: number): Promise<void> {
  const mark = styled(out, "red", "stowage:");
  const shown = failures.slice(0, PRINTED_FAILURES);
  for (const failure of shown) await put(out, `${mark} ${printable(failure.replace(/\s*\n\s*/g, " "))}\n`);
  if (count > shown.length) await put(out, `${mark} and ${count - shown.length} more\n`);
}
