/** The text of a connection's `extra`, read as Python's `json` reads it. */
import { Secret } from "./secret.js";

const NOT_NUMBERS = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);
const MARK = "\u0000number:";

/** JSON, with Python's NaN and infinities too. Throws a SyntaxError that quotes the text: never pass it on. */
export function parsePythonJson(text: string): unknown {
  const marked = text.replace(/"[^"\\]*(?:\\.[^"\\]*)*(?:"|$)|-?\b(?:NaN|Infinity)\b/gs, (token) =>
    NOT_NUMBERS.has(token) ? JSON.stringify(MARK + token) : token,
  );
  if (marked === text) return JSON.parse(text);
  return JSON.parse(marked, (name, value: unknown) => {
    if (name.startsWith(MARK)) throw new SyntaxError("a number as a name");
    return typeof value === "string" && value.startsWith(MARK) ? NOT_NUMBERS.get(value.slice(MARK.length)) : value;
  });
}

/**
 * `extra` as fields. Text that is not a JSON object has no fields: it is kept whole, as a secret, in the one field
 * `__extra__`, which is how Airflow's URIs spell a whole extra, and no driver accepts it.
 */
export function extraFromText(text: string): object {
  if (text.trim() === "") return {};
  const value = parsed(text);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  return { __extra__: new Secret(text) };
}

function parsed(text: string): unknown {
  try {
    return parsePythonJson(text);
  } catch {
    return undefined;
  }
}
