/** A failure as one line that says what to do next, and the exit code it means. */
import { type BatchError, isBatchError, isStorageError, type StorageError } from "../errors.js";
import { printable, styled } from "./format.js";
import type { Io, Output } from "./io.js";

/** 0 is success; 1 a failure; 2 a command that was wrong before anything was tried. */
export type ExitCode = 0 | 1 | 2;

export interface ReportOptions {
  debug?: boolean | undefined;
  json?: boolean | undefined;
}

/** Says on stderr what went wrong. Nothing when the reader of stdout has seen enough, as `head` does. */
export function report(io: Io, error: unknown, { debug, json }: ReportOptions): ExitCode {
  const { stderr, signal } = io;
  if (isClosedPipe(error)) return 0;
  // Something was tried, and done to all entries but these.
  const code = isStorageError(error, "InvalidArgument") && !isBatchError(error) ? 2 : 1;
  const next = isStorageError(error) && !isBatchError(error) ? advice(error) : undefined;
  if (signal.aborted) stderr.stream.write("stowage: interrupted; what was not complete is not there\n");
  else if (json) stderr.stream.write(`${JSON.stringify({ error: { ...asJson(error), next } })}\n`);
  else if (isBatchError(error)) stderr.stream.write(listed(stderr, error));
  else stderr.stream.write(`${styled(stderr, "red", "stowage:")} ${oneLine(error)}${next ? `; ${next}` : ""}\n`);
  if (debug && error instanceof Error) stderr.stream.write(`${stackOf(error)}\n`);
  return signal.aborted ? 1 : code;
}

/** Every failure on a line of its own, and how many there were. */
function listed(out: Output, { op, path, failures, failureCount, completed }: BatchError): string {
  const mark = styled(out, "red", "stowage:");
  const lines = failures.map(({ path, error }) => {
    const words = isStorageError(error) ? `${error.code}${error.detail ? ` (${error.detail})` : ""}` : String(error);
    return `${mark} ${printable(`${path}: ${words.replace(/\s*\n\s*/g, " ")}`)}\n`;
  });
  if (failureCount > failures.length) lines.push(`${mark} and ${failureCount - failures.length} more\n`);
  const counts = `${failureCount} failed, ${completed} done`;
  return `${lines.join("")}${mark} ${printable(`${op} ${path}`)}: ${counts}\n`;
}

function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}

function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  // What the command itself refuses is about no path.
  if (isStorageError(error) && error.op === "") return printable(error.detail);
  return printable(message.replace(/\s*\n\s*/g, " "));
}

function asJson(error: unknown): object {
  return isStorageError(error) ? error.toJSON() : { message: oneLine(error) };
}

/** What to try next, as far as the code tells. */
export function advice({ code, op, path, detail }: StorageError): string | undefined {
  switch (code) {
    case "Unauthenticated":
    case "PermissionDenied":
    case "Unavailable":
    case "Timeout":
    case "Throttled":
      return path ? `find out more: stowage doctor ${quoted(bucketOf(path))}` : "try again later";
    case "NotFound":
      return path ? `look around: stowage ls ${quoted(parentOf(path))}` : undefined;
    case "AlreadyExists":
      return "leave out --if-absent to replace it";
    case "CommitUnknown":
      return path ? `see whether it is there: stowage stat ${quoted(path)}` : undefined;
    case "InvalidArgument":
      return detail.startsWith("no connection ") ? "or name a secrets file: --connections FILE" : undefined;
    default:
      return op === "write" && code === "TooLarge" ? "send it in several objects" : undefined;
  }
}

function bucketOf(path: string): string {
  if (path.startsWith("file://")) return parentOf(path);
  const slash = path.indexOf("/", path.indexOf("://") + 3);
  return slash < 0 ? path : path.slice(0, slash + 1);
}

function parentOf(path: string): string {
  const root = path.indexOf("/", path.indexOf("://") + 3);
  const slash = path.lastIndexOf("/");
  return path.slice(0, Math.max(root + 1, slash));
}

/** As a shell takes it. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${printable(text).replaceAll("'", "'\\''")}'`;
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by: ${stackOf(error.cause)}` : "";
  return `${error.stack ?? error.message}${cause}`;
}
