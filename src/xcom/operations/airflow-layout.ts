/** Airflow's two layouts, as operations over many objects ask for them. */
import type { StoragePath } from "../../path.js";
import type { ObjectLayout } from "../../references.js";
import { prefixOf } from "../keys/base.js";
import { parseObjectKey, parseObjectName, UUID } from "../keys/layout.js";
import { classIn } from "../layers/retention-rules.js";
import { withoutClass } from "../stored.js";

/** XComs below a base path or the folder of a retention class. A digest in a name is that of the stored bytes. */
export const airflowLayout: ObjectLayout = {
  name: "airflow",
  parse(key) {
    const below = withoutClass(key);
    if (!parseObjectKey(below)) return undefined;
    const { digest, suffix } = parseObjectName(below.slice(below.lastIndexOf("/") + 1));
    return { sha256: digest, of: "stored", isJson: suffix === "" || suffix === ".json" };
  },
  isSwept: isSweptXCom,
};

const UUID4 = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
const WHOLE_UUID4 = new RegExp(`^${UUID4}$`);
const INSTANCE = new RegExp(`^(?:ti-${UUID}|write-${UUID4})$`);

/**
 * Returns whether a key that has a layout is as Airflow makes them: below one segment each for Dag, run and task. The
 * name of a UUID has nothing but a codec's suffix, or a digest, which objects of no other program have. Names of other
 * serializers, and ids with slashes, are left alone: only their rows tell them from other programs' files.
 */
export function isSweptXCom(key: string): boolean {
  const segments = withoutClass(key).split("/");
  const { stem, digest, suffix } = parseObjectName(segments.at(-1)!);
  if (segments.length === 4) return WHOLE_UUID4.test(stem) && (suffix === "" || digest !== undefined);
  return segments.length === 5 && INSTANCE.test(segments[3]!);
}

/** Returns the part of a key that a copy at another base has too: from the Dag on, with the folder of a class. */
export function keyOfCopies(key: string): string {
  const segments = key.split("/");
  const own = INSTANCE.test(segments.at(-2) ?? "") ? 5 : 4;
  const isInClass = classIn(`${segments.at(-own - 1) ?? ""}/`) !== undefined;
  return segments.slice(-own - (isInClass ? 1 : 0)).join("/");
}

/** Returns a key without the base. */
export function keyBelow(base: StoragePath, key: string): string {
  return key.slice(prefixOf(base).length);
}
