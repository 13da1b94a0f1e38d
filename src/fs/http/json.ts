/** Reads documents of foreign servers: nothing in them is what it should be before it was looked at. */
import { type ErrorCode, failure } from "../../errors.js";

/** A JSON object whose fields nobody has looked at yet. */
export type Document = Readonly<Record<string, unknown>>;

export function isDocument(value: unknown): value is Document {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The JSON value of `text`; undefined where it is none. */
export function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The text of a field, or undefined where there is none. Fails with `code` for anything else. */
export function textOf(document: Document, name: string, code: ErrorCode = "Corrupt"): string | undefined {
  const value = document[name];
  if (value === undefined || typeof value === "string") return value;
  throw failure(code, `the field ${name} of the server's answer is no text`);
}

/** The elements of a field; none where there is none. */
export function listOf(document: Document, name: string): readonly unknown[] {
  const value = document[name];
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw failure("Corrupt", `the field ${name} of the server's answer is no list`);
}

/** The object in a field, or undefined where there is none. */
export function documentOf(document: Document, name: string): Document | undefined {
  const value = document[name];
  if (value === undefined || isDocument(value)) return value;
  throw failure("Corrupt", `the field ${name} of the server's answer is no object`);
}
