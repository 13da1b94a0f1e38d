/** One line of a diagnosis. */
import { isStorageError } from "../../errors.js";
import { printable, type Style, styled, wrapped } from "../format.js";
import { type Output, put } from "../io.js";

export interface Finding {
  /** What was looked at, in one word. */
  check: string;
  status: "ok" | "warning" | "failed" | "skipped";
  /** What was found. Holds no secret. */
  detail: string;
  /** How to mend what is wrong. */
  mend?: string;
}

export function ok(check: string, detail: string): Finding {
  return { check, status: "ok", detail };
}

export function warning(check: string, detail: string, mend: string): Finding {
  return { check, status: "warning", detail, mend };
}

export function failed(check: string, detail: string, mend: string): Finding {
  return { check, status: "failed", detail, mend };
}

export function skipped(check: string, detail: string): Finding {
  return { check, status: "skipped", detail };
}

/** A check that threw; an abort is none and goes on. */
export function broken(check: string, error: unknown, signal: AbortSignal, mend: string): Finding {
  signal.throwIfAborted();
  return failed(check, messageOf(error), mend);
}

export function messageOf(error: unknown): string {
  if (isStorageError(error)) return error.detail ? `${error.code}: ${error.detail}` : error.code;
  return (error instanceof Error ? error.message : String(error)).trim();
}

const MARKS: Readonly<Record<Finding["status"], readonly [string, Style]>> = {
  ok: ["ok", "green"],
  warning: ["warn", "yellow"],
  failed: ["FAIL", "red"],
  skipped: ["skip", "dim"],
};
const MARK = 4;
const CHECK = 11;
const INDENT = MARK + CHECK + 4;

export async function print(out: Output, { check, status, detail, mend }: Finding): Promise<void> {
  const [mark, style] = MARKS[status];
  const start = `${styled(out, style, mark.padEnd(MARK))}  ${check.padEnd(CHECK)}  `;
  await put(out, `${start}${wrapped(out, INDENT, printable(detail))}\n`);
  if (mend) await put(out, `${" ".repeat(INDENT)}${styled(out, "bold", wrapped(out, INDENT, `mend: ${mend}`))}\n`);
}
