/** From text to the four parts of a path and the rules for each part. Pure, one pass, no backtracking. */
import { invalid, type StorageError } from "../errors.js";
import { providerOf } from "./scheme.js";

/** What a path is made of. */
export interface PathParts {
  /** Lower-case, without `://`. */
  scheme: string;
  /** Which connection to use; the provider's default credentials when left out. */
  connectionId?: string | undefined;
  /** The bucket or Azure container; empty for `file`, and only there. */
  bucket: string;
  /** What is in the bucket under this name, byte for byte; empty for the bucket itself. */
  key: string;
}

const SLASH = 0x2f;
const FORM = "a path reads scheme://[connection@]bucket/key or file:///path";

/** The parts of `text`, trailing slashes of the key dropped. Nothing is percent-decoded or normalised. */
export function parseParts(text: string): PathParts {
  if (typeof text !== "string") throw invalid(`expected the text of a path, not ${typeof text}; ${FORM}`);
  checkText("the path", text, true);
  const colon = schemeEnd(text);
  const scheme = text.slice(0, colon).toLowerCase();
  const start = text.startsWith("//", colon + 1) ? colon + 3 : shortFile(text, scheme, colon);
  const slash = text.indexOf("/", start);
  const end = slash < 0 ? text.length : slash;
  const at = text.lastIndexOf("@", end - 1);
  const connectionId = at > start ? text.slice(start, at) : undefined;
  if (connectionId !== undefined) checkConnectionId(connectionId);
  const bucket = text.slice(at < start ? start : at + 1, end);
  checkBucket(scheme, bucket, connectionId);
  if (bucket === "" && slash < 0) throw invalid(`there is no path after ${scheme}://; ${FORM}`);
  return { scheme, connectionId, bucket, key: keyFrom(text, end + 1) };
}

/** Checks parts that did not come from a text. The key may be any well-formed string without NUL. */
export function checkParts({ scheme, connectionId, bucket, key }: PathParts): void {
  checkString("scheme", scheme);
  checkString("bucket", bucket);
  checkString("key", key);
  if (schemeEnd(`${scheme}:`) !== scheme.length || scheme !== scheme.toLowerCase()) {
    throw invalid("a scheme is a lower-case letter and then lower-case letters, digits, + - .");
  }
  if (connectionId !== undefined) {
    checkString("connectionId", connectionId);
    checkConnectionId(connectionId);
  }
  checkBucket(scheme, bucket, connectionId);
  checkText("the bucket", bucket, true);
  checkText("the key", key, false);
}

function checkString(name: string, value: unknown): void {
  if (typeof value !== "string") throw invalid(`${name} is ${typeof value}, not a string`);
}

/** Refuses NUL and lone surrogates, which no provider stores, and with `oneLine` also TAB, CR and LF. */
export function checkText(what: string, text: string, oneLine: boolean): void {
  if (!text.isWellFormed()) throw invalid(`${what} has half a character (a lone surrogate)`);
  if (text.includes("\0")) throw invalid(`${what} has a NUL`);
  if (oneLine && (text.includes("\t") || text.includes("\n") || text.includes("\r"))) {
    throw invalid(`${what} has a TAB, CR or LF`);
  }
}

/** `text` without the slashes at its end. */
export function withoutTrailingSlashes(text: string): string {
  return keyFrom(text, 0);
}

/** The text from `start` without the slashes at its end. */
function keyFrom(text: string, start: number): string {
  let end = text.length;
  while (end > start && text.charCodeAt(end - 1) === SLASH) end--;
  return text.slice(start, end);
}

/** Where the colon after a well-formed scheme is. */
function schemeEnd(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0x3a && i > 0) return i;
    if (!isSchemeUnit(unit, i === 0)) break;
  }
  throw invalid(`there is no scheme; ${FORM}`);
}

function isSchemeUnit(unit: number, first: boolean): boolean {
  const lower = unit | 0x20;
  if (lower >= 0x61 && lower <= 0x7a) return true;
  return !first && ((unit >= 0x30 && unit <= 0x39) || unit === 0x2b || unit === 0x2d || unit === 0x2e);
}

/** `file:/path` is the short form of `file:///path`, and the only one. */
function shortFile(text: string, scheme: string, colon: number): number {
  if (providerOf(scheme) === "file" && text.charCodeAt(colon + 1) === SLASH) return colon + 1;
  throw invalid(`there is no :// after the scheme; ${FORM}`);
}

/** Refused values are never repeated: what stands before an `@` may be a password. */
function checkConnectionId(id: string): void {
  if (id === "") throw invalid("a connection id is not empty; leave it out for the default credentials");
  if (id.includes(":")) throw credentials();
  if (id.includes("/") || id.includes("?") || id.includes("#")) throw invalid("a connection id has no / ? or #");
  checkText("the connection id", id, true);
}

function credentials(): StorageError {
  return invalid("what stands before @ is a connection id, as in s3://my_conn@bucket/key, never a user and a password");
}

const NOT_IN_BUCKET = ["/", "?", "#", "@", ":", "[", "]"];

function checkBucket(scheme: string, bucket: string, before: string | undefined): void {
  const provider = providerOf(scheme);
  if (provider === "file") {
    if (bucket === "") return;
    throw invalid(`a ${scheme} path has no host; the form is ${scheme}:///path`);
  }
  if (bucket === "") throw invalid(`the bucket is missing; ${FORM}`);
  for (const mark of NOT_IN_BUCKET) if (bucket.includes(mark)) throw invalid(`a bucket has no ${mark}; ${FORM}`);
  if (provider === "azure" && isAccount(bucket)) {
    const form = `abfs://connection@${before ?? "container"}/key`;
    throw invalid(`the form is ${form}; the name of the account belongs to the connection`);
  }
}

/** Whether the authority is an account's host name, as Hadoop writes it. A container has no dot. */
function isAccount(bucket: string): boolean {
  return bucket.includes(".dfs.") || bucket.includes(".blob.");
}
