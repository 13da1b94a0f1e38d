/** One line of a diagnosis. */
import { isStorageError } from "../../errors.js";
import { type Provider, providerOf, type StoragePath } from "../../path.js";
import { type Output, printable, put, type Style, styled, wrapped } from "../format.js";

export interface Finding {
  /** The name of the check, in one word. */
  check: string;
  status: "ok" | "warning" | "failed" | "skipped";
  /** The result. Contains no secret. */
  detail: string;
  /** Advice on how to fix the problem. */
  fix?: string;
}

export function ok(check: string, detail: string): Finding {
  return { check, status: "ok", detail };
}

export function warning(check: string, detail: string, fix: string): Finding {
  return { check, status: "warning", detail, fix };
}

export function failedFinding(check: string, detail: string, fix: string): Finding {
  return { check, status: "failed", detail, fix };
}

export function skippedFinding(check: string, detail: string): Finding {
  return { check, status: "skipped", detail };
}

/** Returns the finding for a check that threw; rethrows an abort. */
export function brokenFinding(check: string, error: unknown, signal: AbortSignal, fix: string): Finding {
  signal.throwIfAborted();
  return failedFinding(check, messageOf(error), fix);
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

export async function print(out: Output, { check, status, detail, fix }: Finding): Promise<void> {
  const [mark, style] = MARKS[status];
  const start = `${styled(out, style, mark.padEnd(MARK))}  ${check.padEnd(CHECK)}  `;
  await put(out, `${start}${wrapped(out, INDENT, printable(detail))}\n`);
  if (fix) await put(out, `${" ".repeat(INDENT)}${styled(out, "bold", wrapped(out, INDENT, `fix: ${fix}`))}\n`);
}

// Advice on a provider's refusals.

export type Action = "list" | "read" | "write" | "delete";

const PERMISSIONS: Readonly<Record<Provider, Readonly<Record<Action, string>>>> = {
  s3: { list: "s3:ListBucket", read: "s3:GetObject", write: "s3:PutObject", delete: "s3:DeleteObject" },
  gs: {
    list: "storage.objects.list",
    read: "storage.objects.get",
    write: "storage.objects.create and, to replace, storage.objects.delete",
    delete: "storage.objects.delete",
  },
  azure: {
    list: "the role Storage Blob Data Reader",
    read: "the role Storage Blob Data Reader",
    write: "the role Storage Blob Data Contributor",
    delete: "the role Storage Blob Data Contributor",
  },
  file: {
    list: "read and search permission",
    read: "read permission",
    write: "write permission",
    delete: "write permission",
  },
  memory: { list: "nothing", read: "nothing", write: "nothing", delete: "nothing" },
};

/** The URL of a path's bucket. */
const bucketOf = (path: StoragePath): string => String(path).replace(/^(\w+:\/\/[^/]*).*$/s, "$1");

/** Returns advice on an error of `action` at `path`. `program` is what a command begins with. */
export function mendOf(error: unknown, action: Action, path: StoragePath, program: string): string {
  if (!isStorageError(error)) return "run it again with --debug, which shows where it comes from";
  const { code, detail } = error;
  switch (code) {
    case "PermissionDenied":
      return `allow these credentials to ${action} below this path: they need ${needed(action, path)}`;
    case "Unauthenticated":
      if (/^no (credentials|token) from /.test(detail)) return NO_CREDENTIALS[providerOf(path.scheme) ?? "file"];
      return "these credentials are not accepted: renew them, and see that they belong to this endpoint";
    case "NotFound":
      return `create the bucket: ${program} mb ${bucketOf(path)}; or correct its name or the region and endpoint of the connection`;
    case "Unsupported":
      return /npm (install|i) /.test(detail)
        ? "install the package that is named"
        : "use another setting or another provider for this";
    case "InvalidArgument":
      return "correct what the message names";
    case "Throttled":
    case "Timeout":
    case "Unavailable":
      return "try again; when it stays so, look at the provider's status and at the network between";
    default:
      return "run it again with --debug, which shows where it comes from";
  }
}

/** What to do if the provider's own library finds no credentials. */
const NO_CREDENTIALS: Readonly<Record<Provider, string>> = {
  s3: "log in (aws sso login), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a connection that has keys",
  gs: "run gcloud auth application-default login, or name a connection that has keyfile_dict or key_path",
  azure: "run az login, or set AZURE_STORAGE_ACCOUNT_KEY, or name a connection that has account_key or sas_token",
  file: "name a connection that has credentials",
  memory: "name a connection that has credentials",
};

function needed(action: Action, { scheme }: StoragePath): string {
  const provider = providerOf(scheme);
  return provider ? PERMISSIONS[provider][action] : `permission to ${action}`;
}
