#!/usr/bin/env node
import { processIo } from "./format.js";
import { run } from "./program.js";

const stop = new AbortController();
// Once: a second Ctrl-C ends the process at once.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort(new Error(signal)));
// A reader that goes away is told by the write that fails, not by an event.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
const code = await run(process.argv.slice(2), processIo(stop.signal));
// Whatever still waits, a terminal for its next line above all, is of no use any more.
process.exit(code);
