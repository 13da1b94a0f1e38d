/** Where a value is stored below the base path: what a layout is, and Airflow's two. */

import { randomUUID } from "node:crypto";
import { invalid } from "../errors.js";
import {
  byteLength,
  checkOwner,
  checkText,
  isHollow,
  isPrintable,
  MAX_NAME,
  nameOf,
  type Owner,
  shortened,
  sum,
} from "./ids.js";
import { type Ending, endingText, MAX_LEAF, readLeaf } from "./leaf.js";

export { checkOwner, type Owner } from "./ids.js";

/** `ti` is the layout of Airflow 3.4, `uuid` the one before. Both are read. */
export type LayoutName = "ti" | "uuid";

/** A place below the base: whose it is, and the segments after the owner's. */
export interface Place<Name extends string = LayoutName> {
  layout: Name;
  /** `<dag>/<run>/<task>`, each possibly of several segments; with a key template those of its ids. */
  owner: string;
  tail: string;
}

/** How paths below the base are made and told. Ids and segments are checked before it is asked. */
export interface Layout<Name extends string = string> {
  readonly name: Name;
  /** A new place, as segments joined by `/`; `limit` is the most bytes that it may have. */
  newPlace(owner: Owner, key: string, ending: Ending, limit: number): string;
  /** What a path says, undefined when this layout did not make it. */
  readPlace(segments: readonly string[]): Place<Name> | undefined;
  /** Whether this owner would have written there; ids are shortened as its writer does. */
  isOwned(place: Place<Name>, by: Owner, limit: number): boolean;
}

/** Longest key of Amazon S3, in bytes; Airflow keeps the whole path of the `ti` layout below it. */
export const MAX_PATH_BYTES = 1024;

export const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const WHOLE_UUID = new RegExp(`^${UUID}$`);
const TI_INSTANCE = new RegExp(`^(?:ti|write)-${UUID}$`);
const QUOTED = new RegExp(`^(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2}){0,${MAX_NAME}}$`);

export const tiLayout: Layout<"ti"> = {
  name: "ti",
  newPlace(owner, key, ending, limit) {
    const end = endingText(ending);
    const tail = `${instance(owner.tiId)}/${nameOf(key, MAX_LEAF - end.length)}${end}`;
    return `${ownerPath(owner, tail, limit)}/${tail}`;
  },
  readPlace(segments) {
    if (segments.length < 5 || !TI_INSTANCE.test(segments.at(-2)!)) return undefined;
    const { stem, suffix } = readLeaf(segments.at(-1)!);
    return suffix !== "" && QUOTED.test(stem) ? place("ti", segments, 2) : undefined;
  },
  isOwned: ({ owner, tail }, by, limit) => owner === ownerPath(by, tail, limit),
};

export const uuidLayout: Layout<"uuid"> = {
  name: "uuid",
  newPlace({ dagId, runId, taskId }, _key, ending) {
    // Airflow's own objects in this layout have no suffix for JSON.
    const suffix = ending.suffix === ".json" ? "" : ending.suffix;
    return `${dagId}/${runId}/${taskId}/${randomUUID()}${endingText({ ...ending, suffix })}`;
  },
  readPlace(segments) {
    const isUuid = segments.length >= 4 && WHOLE_UUID.test(readLeaf(segments.at(-1)!).stem);
    return isUuid ? place("uuid", segments, 1) : undefined;
  },
  isOwned: ({ owner }, { dagId, runId, taskId }) => owner === `${dagId}/${runId}/${taskId}`,
};

export const AIRFLOW_LAYOUTS = [uuidLayout, tiLayout] as const;

/** A new place for a value. InvalidArgument for ids or keys that make no path. */
export function newPlace(layout: Layout, owner: Owner, key: string, ending: Ending, limit: number): string {
  checkOwner(owner);
  checkText("the key", key);
  return layout.newPlace(owner, key, ending, limit);
}

/** What a path below the base says, undefined when it has none of Airflow's layouts. */
export function readPlace(below: string): Place | undefined {
  const segments = segmentsOf(below);
  return segments && (uuidLayout.readPlace(segments) ?? tiLayout.readPlace(segments));
}

/** The segments of a path below a base; undefined when one is empty, `.` or `..`, or has what no path holds. */
export function segmentsOf(below: string): string[] | undefined {
  const segments = below.split("/");
  return isPrintable(below) && !segments.some(isHollow) ? segments : undefined;
}

function place<Name extends LayoutName>(layout: Name, segments: readonly string[], leafs: number): Place<Name> {
  return { layout, owner: segments.slice(0, -leafs).join("/"), tail: segments.slice(-leafs).join("/") };
}

function instance(tiId: string | undefined): string {
  if (tiId === undefined) return `write-${randomUUID()}`;
  const id = String(tiId).toLowerCase();
  if (!WHOLE_UUID.test(id)) throw invalid("tiId is the UUID of the task instance; leave it out when it is not known");
  return `ti-${id}`;
}

/** The ids as a path that leaves room for `tail`. */
function ownerPath(owner: Owner, tail: string, limit: number): string {
  const ids = [owner.dagId, owner.runId, owner.taskId];
  const excess = sum(ids.map(byteLength)) + ids.length + byteLength(tail) - limit;
  if (excess <= 0) return ids.join("/");
  const [dagId, runId, taskId] = shortened(ids, excess, byteLength) as [string, string, string];
  checkOwner({ dagId, runId, taskId });
  return `${dagId}/${runId}/${taskId}`;
}
