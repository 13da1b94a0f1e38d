/** The references that keep objects alive, whatever holds them. */
import { StoragePath } from "../../path.js";
import { type ObjectLayout, type ReferenceSource, textsWithPlaces } from "../../references.js";
import type { RowKey, XComRowReader } from "../rows/rows.js";
import { textsInValue } from "./row-texts.js";

/** The rows of a reader, such as `airflowRows` or `restRows`: the current attempts of tasks. */
export function rowReferences(rows: XComRowReader, name = "rows"): ReferenceSource {
  return {
    name,
    async *references(options = {}) {
      for await (const { value, ...at } of rows.list({}, options)) yield* textsInValue(value, describeRow(at));
    },
  };
}

/** Returns the ids of a row, for reports. */
export function describeRow({ dagId, runId, taskId, mapIndex = -1, key }: RowKey): string {
  return `${dagId} ${runId} ${taskId}${mapIndex < 0 ? "" : `[${mapIndex}]`} ${key}`;
}

/**
 * References one a line, as `stowage xcom ls --refs` prints them, or as JSON texts, which `stowage xcom push` prints.
 * Empty lines are passed over.
 */
export function lineReferences(lines: Iterable<string> | AsyncIterable<string>, name = "lines"): ReferenceSource {
  return {
    name,
    async *references({ signal } = {}) {
      for await (const { text, where } of textsWithPlaces(lines, name, signal)) yield { text: unquoted(text), where };
    },
  };
}

function unquoted(line: string): string {
  if (!/^".*"$/s.test(line)) return line;
  try {
    return String(JSON.parse(line));
  } catch {
    return line;
  }
}

/** Returns the path that a text is, if the whole key has the layout; undefined for a value. */
export function layoutPath(text: string, layout: ObjectLayout): StoragePath | undefined {
  const path = pathIn(text);
  return path && layout.parse(path.key) ? path : undefined;
}

/** Returns the path that a text is; undefined for any other text. */
export function pathIn(text: string): StoragePath | undefined {
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text)) return undefined;
  try {
    return StoragePath.parse(text);
  } catch {
    return undefined;
  }
}
