/** Where XComs are: the settings' base path, and what a reference says. */
import { invalid } from "../../errors.js";
import { StoragePath } from "../../path.js";
import { type Env, SETTING } from "../../xcom/config.js";
import { placeOf, type StoredPlace } from "../../xcom/stored.js";
import type { Session } from "../session.js";

export type { StoredPlace as XComPlace } from "../../xcom/stored.js";

/** The base path of the environment's settings, if it has one. */
export function configuredBase(env: Env): StoragePath | undefined {
  const text = env[SETTING.path];
  return text ? StoragePath.parse(text) : undefined;
}

export const NO_BASE =
  "name a path such as s3://my_conn@my_bucket/xcom, or set AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH to it";

/** The path that is typed, else the configured base, if there is one. */
export function typedOrBase(session: Session, text: string | undefined): StoragePath | undefined {
  return text === undefined ? configuredBase(session.env) : session.path(text);
}

/** The path that is typed, else the configured base; InvalidArgument when there is neither. */
export function pathOrBase(session: Session, text: string | undefined): StoragePath {
  const path = typedOrBase(session, text);
  if (!path) throw invalid(NO_BASE);
  return path;
}

/** The place that a reference leads to; InvalidArgument when it has none of the layouts. */
export function referredPlace(path: StoragePath, base: StoragePath | undefined): StoredPlace {
  const place = placeOf(path, base);
  if (place) return place;
  const mend = `to print any object: stowage cat --compression infer ${path}`;
  throw invalid(`this is no reference to an XCom, its path has none of Airflow's layouts; ${mend}`);
}
