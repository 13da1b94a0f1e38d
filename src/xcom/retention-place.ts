/** Where the objects of a retention class are: `retention=<class>` is the first segment below the base. */
import { isClass } from "./retention-rules.js";

/** What a Dag id of Airflow never has, so that a class and a Dag cannot be mistaken for each other. */
export const MARK = "retention=";

export function segmentOf(name: string): string {
  return `${MARK}${name}`;
}

/** The class that a path below the base begins with. */
export function classIn(below: string): string | undefined {
  const [first = ""] = below.split("/", 1);
  const name = first.slice(MARK.length);
  return first.startsWith(MARK) && isClass(name) ? name : undefined;
}
