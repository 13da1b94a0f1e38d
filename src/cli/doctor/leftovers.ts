/** What killed writers have left in a local folder. */
import { readdir } from "node:fs/promises";
import { providerOf, type StoragePath } from "../../path.js";
import { type Finding, warning } from "./finding.js";

/** What the names of unfinished writes begin with. */
const UNFINISHED = ".stowage-tmp-";

/** Unfinished writes in the folder itself, if there are any. Those of a week ago are gone by the listing before. */
export async function findLeftovers({ scheme, key }: StoragePath): Promise<Finding | undefined> {
  if (providerOf(scheme) !== "file") return undefined;
  const names = await readdir(`/${key}`).catch(() => []);
  const left = names.filter((name) => name.startsWith(UNFINISHED));
  if (left.length === 0) return undefined;
  return warning(
    "leftovers",
    `${left.length} unfinished writes, ${left[0]} among them: a writer that still runs, or one that was killed`,
    "nothing, if programs are writing here; else delete them, or let a listing do it when they are a week old",
  );
}
