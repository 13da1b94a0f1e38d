/** What the path of an XCom's object says about the XCom. */
import { codecs } from "../../codecs/index.js";
import { failure } from "../../errors.js";
import { StoragePath } from "../../path.js";
import { SETTING } from "../../xcom/config.js";
import { type LayoutName, readPlace } from "../../xcom/coordinate.js";

type Env = Readonly<Record<string, string | undefined>>;

export interface XComPlace {
  /** The reference, as a row holds it. */
  path: StoragePath;
  /** What is left of the path without what follows. */
  base: StoragePath;
  dagId: string;
  runId: string;
  taskId: string;
  /** Undefined in the `uuid` layout, which does not tell it. Keys that were too long show as their SHA-256. */
  key: string | undefined;
  layout: LayoutName;
  /** `ti-<uuid>` of a task instance, `write-<uuid>` of a writer that had none, or the `<uuid>` of the object. */
  instance: string;
  /** Undefined for JSON as it is. */
  codec: string | undefined;
}

/** The base path of the environment's settings, if it has one. */
export function configuredBase(env: Env): StoragePath | undefined {
  const text = env[SETTING.path];
  return text ? StoragePath.parse(text) : undefined;
}

/**
 * The place of an XCom below `base`, or, where it is not below it, below whatever precedes the last ids: one segment
 * each for Dag, run and task. Undefined when the path has none of the layouts.
 */
export function placeOf(path: StoragePath, base: StoragePath | undefined): XComPlace | undefined {
  const known = base && path.isRelativeTo(base) ? path.relativeTo(base) : undefined;
  const place = readPlace(known ?? path.key);
  if (!place) return undefined;
  const owner = place.owner.split("/");
  const taskId = owner.at(-1)!;
  const runId = owner.at(-2)!;
  const dagId = known === undefined ? owner.at(-3)! : owner.slice(0, -2).join("/");
  const below = [dagId, runId, taskId, place.tail].join("/");
  const { scheme, connectionId, bucket, key } = path;
  const own = StoragePath.of({ scheme, connectionId, bucket, key: key.slice(0, -below.length).replace(/\/$/, "") });
  return { path, base: own, dagId, runId, taskId, layout: place.layout, ...leafOf(place.layout, place.tail) };
}

/** The place that a reference leads to; InvalidArgument when it has none of the layouts. */
export function referredPlace(path: StoragePath, base: StoragePath | undefined): XComPlace {
  const place = placeOf(path, base);
  if (place) return place;
  const mend = `to print any object: stowage cat --compression infer ${path}`;
  throw failure("InvalidArgument", `this is no reference to an XCom, its path has none of Airflow's layouts; ${mend}`);
}

function leafOf(layout: LayoutName, tail: string): Pick<XComPlace, "key" | "instance" | "codec"> {
  const [first = "", name = first] = tail.split("/");
  const codec = codecs.forSuffix(name);
  const plain = codec ? name.slice(0, name.lastIndexOf(".")) : name;
  if (layout === "uuid") return { key: undefined, instance: plain, codec: codec?.name };
  return { key: unquoted(plain.replace(/\.json$/, "")), instance: first, codec: codec?.name };
}

/** A name with a percent sign that nobody could have written stays as it is. */
function unquoted(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
