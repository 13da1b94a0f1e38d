// Where the objects of an example are: the path that the environment names, else a temporary folder.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const folder = () => String(pathToFileURL(mkdtempSync(join(tmpdir(), "stowage-runtimes-"))));

export const objects = process.env.OBJECTS ?? folder();

/** Prints the objects below the path, with their sizes. */
export async function show(storage) {
  for await (const { path, size } of storage.list(objects, { recursive: true }))
    console.log(`${String(size).padStart(9)} bytes  ${path}`);
}
