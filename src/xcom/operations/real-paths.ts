/** Where files are, whatever symbolic links lead there. */
import { realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { invalid } from "../../errors.js";
import { providerOf, type StoragePath } from "../../path.js";

/** Throws InvalidArgument if both are files and, without links, one contains the other. */
export async function checkFilesApart(a: StoragePath, b: StoragePath, names: string): Promise<void> {
  const [one, other] = await Promise.all([realPath(a), realPath(b)]);
  if (one === undefined || other === undefined) return;
  if (!`${one}/`.startsWith(`${other}/`) && !`${other}/`.startsWith(`${one}/`)) return;
  throw invalid(`${names}, ${a} and ${b}: one contains the other, as ${one} and ${other} without symbolic links`);
}

/** Resolves the links of as much as exists. Undefined for what is no file. */
async function realPath({ scheme, key }: StoragePath): Promise<string | undefined> {
  if (providerOf(scheme) !== "file") return undefined;
  let rest = "";
  for (let existing = `/${key}`; ; existing = dirname(existing)) {
    const real = await realpath(existing).catch(() => undefined);
    if (real !== undefined) return join(real, rest);
    if (existing === dirname(existing)) return `/${key}`;
    rest = join(basename(existing), rest);
  }
}
