/** Reads JSON of foreign servers, whose every field must be checked. */
import { type ErrorCode, failure } from "../../errors.js";

/** A JSON object with unchecked fields. */
export type Document = Readonly<Record<string, unknown>>;

export function isDocument(value: unknown): value is Document {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns the JSON value of `text`; undefined if it is invalid. */
export function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns the text of a field, or undefined if it is missing. Throws `code` for anything else. */
export function textOf(document: Document, name: string, code: ErrorCode = "Corrupt"): string | undefined {
  const value = document[name];
  if (value === undefined || typeof value === "string") return value;
  throw failure(code, `the field ${name} of the server's answer is no text`);
}

/** Returns the elements of a field; none if it is missing. */
export function listOf(document: Document, name: string): readonly unknown[] {
  const value = document[name];
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw failure("Corrupt", `the field ${name} of the server's answer is no list`);
}

/** Returns the object in a field, or undefined if it is missing. */
export function documentOf(document: Document, name: string): Document | undefined {
  const value = document[name];
  if (value === undefined || isDocument(value)) return value;
  throw failure("Corrupt", `the field ${name} of the server's answer is no object`);
}
