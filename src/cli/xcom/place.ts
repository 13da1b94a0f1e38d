/** Where XComs are: the settings' base path, and what a reference says. */
import { failure } from "../../errors.js";
import { StoragePath } from "../../path.js";
import { SETTING } from "../../xcom/config.js";
import { placeOf, type StoredPlace } from "../../xcom/stored.js";

export type { StoredPlace as XComPlace } from "../../xcom/stored.js";

type Env = Readonly<Record<string, string | undefined>>;

/** The base path of the environment's settings, if it has one. */
export function configuredBase(env: Env): StoragePath | undefined {
  const text = env[SETTING.path];
  return text ? StoragePath.parse(text) : undefined;
}

/** The place that a reference leads to; InvalidArgument when it has none of the layouts. */
export function referredPlace(path: StoragePath, base: StoragePath | undefined): StoredPlace {
  const place = placeOf(path, base);
  if (place) return place;
  const mend = `to print any object: stowage cat --compression infer ${path}`;
  throw failure("InvalidArgument", `this is no reference to an XCom, its path has none of Airflow's layouts; ${mend}`);
}
