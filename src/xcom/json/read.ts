/** A value from JSON text, without holding the event loop for long. */
import { Pace } from "../../codecs/pace.js";
import { failure } from "../../errors.js";
import type { Bytes } from "../../fs/driver.js";
import { decodeText } from "./decode.js";
import { type Encoding, setOwn } from "./encoding.js";
import { JsonParser } from "./parse.js";
import { builtIn, isSimple } from "./simple.js";
import { MAX_DEPTH } from "./walk.js";

/** Characters up to which a document is read in one go: some milliseconds. */
const WHOLE = 512 * 1024;

/** The value of a JSON document. Corrupt when it is none, TooLarge when it is nested too deep. */
export async function readJson(bytes: Bytes, encoding: Encoding, signal?: AbortSignal | undefined): Promise<unknown> {
  const held: string[] = [];
  const pace = new Pace();
  let length = 0;
  let parser: JsonParser | undefined;
  for await (const text of decodeText(bytes)) {
    length += text.length;
    if (length > WHOLE) parser ??= new JsonParser(encoding);
    held.push(text);
    if (!parser) continue;
    for (const piece of held.splice(0)) {
      parser.push(piece);
      await pace.rest();
    }
    signal?.throwIfAborted();
  }
  return parser ? parser.end() : parseJson(held.join(""), encoding);
}

/** The value of a JSON text. */
export function parseJson(text: string, encoding: Encoding): unknown {
  if (isSimple(text, encoding)) {
    const value = builtIn(text);
    if (value !== undefined && !isDeep(value, MAX_DEPTH)) return value;
  }
  const parser = new JsonParser(encoding);
  parser.push(text);
  return parser.end();
}

function isDeep(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((inner) => isDeep(inner, levels - 1));
}

/** A value that is JSON already, with what its objects stand for. What has nothing to revive comes back as it is. */
export function reviveTree(value: unknown, encoding: Encoding, levels = MAX_DEPTH): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (levels === 0) throw failure("TooLarge", `the value is nested more than ${MAX_DEPTH} deep`);
  if (Array.isArray(value)) return revivedList(value, (item) => reviveTree(item, encoding, levels - 1));
  return encoding.revive(revivedDict(value, (item) => reviveTree(item, encoding, levels - 1)));
}

function revivedList(items: readonly unknown[], revive: (item: unknown) => unknown): readonly unknown[] {
  const revived = items.map(revive);
  return revived.some((item, i) => !Object.is(item, items[i])) ? revived : items;
}

function revivedDict(object: object, revive: (item: unknown) => unknown): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  let changed = false;
  for (const [key, item] of Object.entries(object)) {
    const revived = revive(item);
    changed ||= !Object.is(revived, item);
    setOwn(copy, key, revived);
  }
  return changed ? copy : (object as Record<string, unknown>);
}
