/** What a key template is made of, and which ones are refused. */
import { invalid } from "../../errors.js";
import { isHollow } from "../ids.js";
import { JSON_SUFFIX } from "../serializer.js";

export const ID_NAMES = ["dag_id", "run_id", "task_id"] as const;
const NAMES = [...ID_NAMES, "map_index", "key", "uuid"] as const;

export type IdName = (typeof ID_NAMES)[number];
type Name = (typeof NAMES)[number];

export type Part = { kind: Name } | { kind: "text"; text: string };

export interface Template {
  text: string;
  /** Without the `.json` at the end. */
  parts: readonly Part[];
  /** Which ids of the owner are in it, in their order. */
  ids: readonly IdName[];
  /** Whether a `{uuid}` keeps all values apart. */
  unique: boolean;
  has(name: Name): boolean;
}

/** The characters of a quoted id; any other in the text between two ids tells where one ends. */
const OF_IDS = /^[A-Za-z0-9_.~-]*$/;

export function parseTemplate(text: string): Template {
  if (typeof text !== "string" || !text.endsWith(JSON_SUFFIX))
    throw refuse(text, `end it in ${JSON_SUFFIX}, which other serializers and the codec change to their suffixes`);
  const parts = partsOf(text);
  const names = parts.map(({ kind }) => kind);
  const has = (name: Name) => names.includes(name);
  checkSegments(text);
  checkNames(text, names, has);
  checkBorders(text, parts);
  return { text, parts, ids: ID_NAMES.filter(has), unique: has("uuid"), has };
}

function partsOf(text: string): Part[] {
  const pieces = text.slice(0, -JSON_SUFFIX.length).split(/(\{[a-z_]*\})/);
  return pieces.filter((piece) => piece !== "").map((piece) => partOf(text, piece));
}

function partOf(text: string, piece: string): Part {
  const name = NAMES.find((known) => piece === `{${known}}`);
  if (name) return { kind: name };
  if (/^[A-Za-z0-9_.~=@+,/-]+$/.test(piece)) return { kind: "text", text: piece };
  const known = NAMES.map((one) => `{${one}}`).join(" ");
  throw refuse(text, `${JSON.stringify(piece)} is neither one of ${known} nor text of A-Z a-z 0-9 _ . ~ = @ + , - /`);
}

function checkSegments(text: string): void {
  if (text.split("/").some(isHollow)) throw refuse(text, 'a segment is empty, "." or ".."');
}

function checkNames(text: string, names: readonly string[], has: (name: Name) => boolean): void {
  const twice = NAMES.find((name) => names.indexOf(name) !== names.lastIndexOf(name));
  if (twice) throw refuse(text, `{${twice}} is in it twice`);
  const missing = NAMES.filter((name) => name !== "uuid" && !has(name)).map((name) => `{${name}}`);
  if (!has("uuid") && missing.length > 0)
    throw refuse(text, `two values could get the same name; add {uuid}, or all of ${missing.join(" ")}`);
}

/** A path must say where one id ends and the next begins; a uuid has always the same length. */
function checkBorders(text: string, parts: readonly Part[]): void {
  let open: Name | undefined;
  for (const part of parts) {
    if (part.kind === "text") {
      if (!OF_IDS.test(part.text)) open = undefined;
    } else if (part.kind !== "uuid") {
      if (open) throw refuse(text, `nothing tells {${open}} from {${part.kind}}; put a / or = between them`);
      open = part.kind;
    }
  }
}

function refuse(text: unknown, detail: string) {
  return invalid(`keyTemplate ${JSON.stringify(String(text).slice(0, 200))}: ${detail}`);
}
