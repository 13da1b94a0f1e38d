/** Airflow's two layouts, as operations over many objects ask for them. */
import type { StoragePath } from "../../path.js";
import type { ObjectLayout } from "../../references.js";
import { prefixOf } from "../keys/base.js";
import { parseObjectKey, parseObjectName } from "../keys/layout.js";
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
};

/** Returns a key without the base. */
export function keyBelow(base: StoragePath, key: string): string {
  return key.slice(prefixOf(base).length);
}
