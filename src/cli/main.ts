#!/usr/bin/env node
import { processIo } from "./format.js";
import { run } from "./program.js";

const { emitWarning } = process;
// Node 22 would print it between the lines of the command; any other warning is printed.
process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
  if (!/^SQLite is an experimental feature/.test(String(warning)))
    Reflect.apply(emitWarning, process, [warning, ...rest]);
};
const stop = new AbortController();
// Once: a second Ctrl-C ends the process immediately.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort(new Error(signal)));
// The failing write reports a closed reader; the event is ignored.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
const code = await run(process.argv.slice(2), processIo(stop.signal));
// Pending work, above all a terminal waiting for its next line, is no longer needed.
process.exit(code);
