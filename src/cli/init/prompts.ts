/** Questions on a terminal. */
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import type { Io } from "../format.js";

export interface Prompts {
  /** Returns the line typed, without spaces around it; with `hidden`, nothing that is typed is shown. */
  ask(question: string, options?: { hidden?: boolean }): Promise<string>;
  close(): void;
}

/** Returns questions on stderr with answers from stdin, or undefined unless both are a terminal. */
export function promptsOn({ terminalIn, stderr, signal }: Io): Prompts | undefined {
  if (!terminalIn || !stderr.terminal) return undefined;
  let hidden = false;
  // Readline itself echoes what is typed, to this stream.
  const output = new Writable({
    write(chunk, _, done) {
      if (hidden) done();
      else stderr.stream.write(chunk, () => done());
    },
  });
  const lines = createInterface({ input: terminalIn, output, terminal: true });
  // Readline puts the terminal into raw mode, in which Ctrl-C is a key, and no signal.
  lines.once("SIGINT", () => process.kill(process.pid, "SIGINT"));
  return {
    async ask(question, options = {}) {
      if (!options.hidden) return (await lines.question(`${question}: `, { signal })).trim();
      stderr.stream.write(`${question} (not shown): `);
      hidden = true;
      try {
        return (await lines.question("", { signal })).trim();
      } finally {
        hidden = false;
        stderr.stream.write("\n");
      }
    },
    close: () => lines.close(),
  };
}
