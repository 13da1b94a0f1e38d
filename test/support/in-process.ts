/**
 * The command from the sources, in this process: faster than the built one, and with the mutations of the sources.
 * `columns` makes its outputs terminals of that width.
 */
import { Writable } from "node:stream";
import type { Io, Output } from "../../src/cli/format.js";
import { run } from "../../src/cli/program.js";
import { single } from "../../src/streams.js";
import type { Ran, RunOptions } from "./command.js";

export async function commandInProcess(
  args: readonly string[],
  { cwd = process.cwd(), env = {}, input = "", columns }: RunOptions & { columns?: number } = {},
): Promise<Ran> {
  const { io, data, stderr } = collectedIo({ cwd, env, input, columns });
  const code = await run(args, io);
  return { code, data: data(), stdout: data().toString("utf8"), stderr: stderr() };
}

/** The command's interface to a process that keeps what is printed. */
export function collectedIo({
  cwd = process.cwd(),
  env = {},
  input = "",
  columns,
}: RunOptions & { columns?: number | undefined } = {}) {
  const [stdout, stderr] = [collected(columns), collected(columns)];
  const io: Io = {
    stdin: single(Buffer.from(input)),
    stdout: stdout.out,
    stderr: stderr.out,
    env,
    cwd,
    signal: new AbortController().signal,
  };
  return { io, data: stdout.data, stderr: () => stderr.data().toString("utf8") };
}

function collected(columns: number | undefined): { out: Output; data: () => Buffer } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk, _, done) {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  return { out: { stream, terminal: columns !== undefined, color: false, columns }, data: () => Buffer.concat(chunks) };
}
