/** A layout of the user's own: `{dag_id}/{run_id}/{task_id}/{map_index}/{key}_data_{uuid}.json`. */

import { randomUUID } from "node:crypto";
import { invalid } from "../../errors.js";
import { type Layout, type Place, UUID } from "../coordinate.js";
import type { Extras } from "../extras.js";
import { checkOwner, nameOf, type Owner, quotedId, shortened, sum } from "../ids.js";
import { type Ending, endingText, MAX_LEAF, readLeaf } from "../leaf.js";
import { escaped } from "../patterns.js";
import { ID_NAMES, type IdName, type Part, parseTemplate, type Template } from "./template-parts.js";

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

/** Reads the option `keyTemplate` of a backend. */
export const keyTemplates: Extras = { keyTemplate: templateLayout };

/** The layout of a key template. InvalidArgument, with the mend, for one that does not keep values apart. */
export function templateLayout(keyTemplate: string): Layout<"template"> {
  const template = parseTemplate(keyTemplate);
  const read = reader(template);
  return {
    name: "template",
    newPlace: (owner, key, ending, limit) => write(template, owner, key, ending, limit),
    readPlace(segments) {
      const found = read(segments.join("/"));
      if (!found) return undefined;
      const owner = template.ids.map((id) => found[id]).join("/");
      return { layout: "template", owner, tail: segments.join("/") };
    },
    isOwned: (place, by, limit) => isOwned(template, read(place.tail)!, place, by, limit),
  };
}

function write(template: Template, owner: Owner, key: string, ending: Ending, limit: number): string {
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

/** Without a `{uuid}` every id has to stand there as it is, or two values could share a name. */
function checkReadable(template: Template, owner: Owner, key: string, long: boolean): void {
  const texts = [key, owner.dagId, owner.runId, owner.taskId];
  if (!long && texts.every((text) => nameOf(text) === quotedId(text))) return;
  throw invalid(
    `the ids are too long for the key template ${template.text}; add {uuid} to it, so that they can be cut`,
  );
}

const NO_IDS = { dag_id: "", run_id: "", task_id: "" };

/** The ids, quoted, such that they and the `rest` of the path have at most `limit` bytes. */
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

function isOwned(template: Template, found: Values, place: Place<"template">, by: Owner, limit: number): boolean {
  checkOwner(by);
  if (template.has("map_index") && found.map_index !== mapIndexOf(by)) return false;
  const rest = place.tail.length - sum(template.ids.map((id) => found[id].length));
  const wanted = fitting(template, by, rest, limit);
  return template.ids.every((id) => found[id] === wanted[id]);
}

function reader({ parts }: Template): (path: string) => Values | undefined {
  const pattern = parts.map((part) => (part.kind === "text" ? escaped(part.text) : PATTERNS[part.kind])).join("");
  const whole = new RegExp(`^${pattern}$`);
  const names = parts.map(({ kind }) => kind).filter((kind) => kind !== "text");
  return (path) => {
    const slash = path.lastIndexOf("/") + 1;
    const { stem, suffix } = readLeaf(path.slice(slash));
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
