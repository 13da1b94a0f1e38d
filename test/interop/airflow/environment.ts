/** A Python with one exact version of Airflow. */
import { fileURLToPath } from "node:url";
import { pythonWith } from "../../support/environment.mjs";

/** The interpreter of an environment with exactly the packages of `list`, a file beside this one. */
export function airflowPython(list: string): Promise<string> {
  return pythonWith(fileURLToPath(new URL(list, import.meta.url)));
}
