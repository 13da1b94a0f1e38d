/** `doctor`. */
import type { Command } from "commander";
import type { Cli } from "../cli.js";
import { jsonLine, printable } from "../format.js";
import { put } from "../io.js";
import type { Session } from "../session.js";
import { examined } from "./examine.js";
import { print } from "./finding.js";

export function addDoctor(cli: Cli, program: Command): void {
  cli
    .add(program, {
      name: "doctor",
      summary: "check the way to a bucket, and say how to mend it",
      details:
        "Writes, reads and deletes probe objects of its own below the path and leaves nothing behind. " +
        "One of them has 8 MiB, to try an upload in parts. Prints where credentials come from, never what they are.",
      examples: [
        ["stowage doctor s3://lake@bucket/reports", "below a path that you may write to"],
        ["stowage doctor --read-only gs://bucket", "without writing"],
      ],
    })
    .argument("<path>", "where objects are to go")
    .option("--read-only", "leave out everything that writes")
    .action(cli.run(doctor));
}

async function doctor(session: Session, text: string, { readOnly = false }: { readOnly?: boolean }): Promise<void> {
  const { io, json } = session;
  const at = session.path(text);
  let wrong = 0;
  for await (const finding of examined(session, at, readOnly)) {
    if (finding.status === "failed") wrong += 1;
    await (json ? jsonLine(io.stdout, finding) : print(io.stdout, finding));
  }
  if (!json) await put(io.stdout, `\n${printable(String(at))}: ${verdict(wrong)}\n`);
  session.exitCode = wrong > 0 ? 1 : 0;
}

function verdict(wrong: number): string {
  if (wrong === 0) return "all is well";
  return wrong === 1 ? "one thing is wrong" : `${wrong} things are wrong`;
}
