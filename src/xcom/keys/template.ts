/** A user-defined layout: `{dag_id}/{run_id}/{task_id}/{map_index}/{key}_data_{uuid}.json`. */

import { randomUUID } from "node:crypto";
import { invalid } from "../../errors.js";
import { escaped } from "../allowed-types.js";
import type { XComFeatures } from "../features.js";
import { JSON_SUFFIX } from "../serializer.js";
import {
  checkOwner,
  type ExpectedOwner,
  endingText,
  isHollow,
  type KeyLayout,
  MAX_LEAF,
  type NameEnding,
  nameOf,
  type Owner,
  type ParsedKey,
  parseObjectName,
  quotedId,
  shortened,
  sum,
  UUID,
} from "./layout.js";

// The syntax of key templates, and their checks.

const ID_NAMES = ["dag_id", "run_id", "task_id"] as const;
const NAMES = [...ID_NAMES, "map_index", "key", "uuid"] as const;

type IdName = (typeof ID_NAMES)[number];
type Name = (typeof NAMES)[number];

type Part = { kind: Name } | { kind: "text"; text: string };

interface Template {
  text: string;
  /** Without the trailing `.json`. */
  parts: readonly Part[];
  /** The owner's ids in the template, in order. */
  ids: readonly IdName[];
  /** Whether a `{uuid}` makes every name unique. */
  unique: boolean;
  has(name: Name): boolean;
}

/** The characters of a quoted id; any other character between two ids marks the end of the first. */
const OF_IDS = /^[A-Za-z0-9_.~-]*$/;

function parseTemplate(text: string): Template {
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

/** A path must show where one id ends and the next begins; a uuid has a fixed length. */
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

const QUOTED = "((?:[A-Za-z0-9_.~-]|%[0-9A-F]{2})+)";
const PATTERNS: Record<Exclude<Part["kind"], "text">, string> = {
  dag_id: QUOTED,
  run_id: QUOTED,
  task_id: QUOTED,
  key: QUOTED,
  map_index: "(-1|0|[1-9][0-9]*)",
  uuid: `(${UUID})`,
};

type Values = Record<Exclude<Part["kind"], "text">, string>;

/** Implements the backend's option `keyTemplate`. */
export const keyTemplates: XComFeatures = { keyTemplate: templateLayout };

/** Returns the layout of a key template. Throws InvalidArgument, with what to do, if values could share a name. */
export function templateLayout(keyTemplate: string): KeyLayout<"template"> {
  const template = parseTemplate(keyTemplate);
  const read = reader(template);
  return {
    name: "template",
    overwrites: !template.unique,
    newKey: (owner, key, ending, limit) => write(template, owner, key, ending, limit),
    parseKey(segments) {
      const found = read(segments.join("/"));
      if (!found) return undefined;
      const owner = template.ids.map((id) => found[id]).join("/");
      return { layout: "template", owner, tail: segments.join("/") };
    },
    isOwned: (place, by, limit) => isOwned(template, read(place.tail)!, place, by, limit),
  };
}

function write(template: Template, owner: Owner, key: string, ending: NameEnding, limit: number): string {
  if (key === "") throw invalid("the key is empty; a key template needs one");
  const values = { ...idsOf(owner), map_index: mapIndexOf(owner), uuid: randomUUID(), key: nameOf(key) };
  const end = endingText(ending);
  const long = leafOf(template, values).length + end.length > MAX_LEAF;
  const named = long ? { ...values, key: nameOf(key, 0) } : values;
  if (!template.unique) checkReadable(template, owner, key, long);
  const rest = filled(template, { ...named, ...NO_IDS }).length + end.length;
  const ids = fitting(template, owner, rest, limit);
  const place = filled(template, { ...named, ...ids }) + end;
  if (place.length - place.lastIndexOf("/") - 1 > MAX_LEAF)
    throw invalid("keyTemplate gives a last segment that is too long; give the ids segments of their own");
  return place;
}

/** Without a `{uuid}` every id must appear unchanged, or two values could share a name. */
function checkReadable(template: Template, owner: Owner, key: string, long: boolean): void {
  const texts = [key, owner.dagId, owner.runId, owner.taskId];
  if (!long && texts.every((text) => nameOf(text) === quotedId(text))) return;
  throw invalid(
    `the ids are too long for the key template ${template.text}; add {uuid} to it, so that they can be cut`,
  );
}

const NO_IDS = { dag_id: "", run_id: "", task_id: "" };

/** Returns the quoted ids, shortened so that they and the `rest` of the path have at most `limit` bytes. */
function fitting({ ids, unique }: Template, owner: Owner, rest: number, limit: number): Record<IdName, string> {
  const raw = rawIds(owner);
  const excess = sum(ids.map((id) => nameOf(raw[id]).length)) + rest - limit;
  if (excess <= 0) return idsOf(owner);
  if (!unique) throw invalid("the path is longer than a key may be; use a shorter base, or add {uuid} to keyTemplate");
  const short = shortened(
    ids.map((id) => raw[id]),
    excess,
    (id) => nameOf(id).length,
  );
  return { ...idsOf(owner), ...Object.fromEntries(ids.map((id, i) => [id, nameOf(short[i]!)])) };
}

function isOwned(
  template: Template,
  found: Values,
  place: ParsedKey<"template">,
  by: ExpectedOwner,
  limit: number,
): boolean {
  checkOwner(by);
  if (template.has("map_index") && found.map_index !== mapIndexOf(by)) return false;
  const rest = place.tail.length - sum(template.ids.map((id) => found[id].length));
  const wanted = fitting(template, by, rest, limit);
  return template.ids.every((id) => (by.anyRun && id === "run_id") || found[id] === wanted[id]);
}

function reader({ parts }: Template): (path: string) => Values | undefined {
  const pattern = parts.map((part) => (part.kind === "text" ? escaped(part.text) : PATTERNS[part.kind])).join("");
  const whole = new RegExp(`^${pattern}$`);
  const names = parts.map(({ kind }) => kind).filter((kind) => kind !== "text");
  return (path) => {
    const slash = path.lastIndexOf("/") + 1;
    const { stem, suffix } = parseObjectName(path.slice(slash));
    const match = suffix === "" ? null : whole.exec(path.slice(0, slash) + stem);
    return match ? (Object.fromEntries(names.map((name, i) => [name, match[i + 1]!])) as Values) : undefined;
  };
}

function filled({ parts }: Template, values: Values): string {
  return parts.map((part) => (part.kind === "text" ? part.text : values[part.kind])).join("");
}

function leafOf(template: Template, values: Values): string {
  const path = filled(template, values);
  return path.slice(path.lastIndexOf("/") + 1);
}

function rawIds({ dagId, runId, taskId }: Owner): Record<IdName, string> {
  return { dag_id: dagId, run_id: runId, task_id: taskId };
}

function idsOf(owner: Owner): Record<IdName, string> {
  const raw = rawIds(owner);
  return Object.fromEntries(ID_NAMES.map((id) => [id, nameOf(raw[id])])) as Record<IdName, string>;
}

function mapIndexOf({ mapIndex = -1 }: Owner): string {
  if (Number.isSafeInteger(mapIndex) && mapIndex >= -1) return String(mapIndex);
  throw invalid("mapIndex must be an integer >= -1");
}
