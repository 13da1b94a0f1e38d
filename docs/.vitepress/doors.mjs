/**
 * A plugin of TypeDoc that gives each entry point the name under which it is imported, `stowage/s3`, and puts first on
 * each page what a reader looks for first.
 */
import { readFileSync } from "node:fs";
import { Converter, ReflectionKind } from "typedoc";

const { exports } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

/** The names by TypeDoc's own, which are paths below `src`. */
const NAMES = new Map(
  Object.entries(exports).flatMap(([door, { types }]) => {
    const source = types?.replace(/^\.\/dist\//, "").replace(/(?:(?<=.)\/index)?\.d\.ts$/, "");
    return source ? [[source, `stowage${door.slice(1)}`]] : [];
  }),
);

/** First in their group; errors and symbols are last, and everything else is in the order of the alphabet. */
const FIRST = new Set(["Storage", "StoragePath", "XComObjectStorageBackend", "Claims", "openStorage", "createStorage"]);

/** @param {{ name: string }} reflection */
function rank({ name }) {
  if (FIRST.has(name)) return 0;
  return name.endsWith("Error") || name.startsWith("[") ? 2 : 1;
}

/** @param {import("typedoc").Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const door of project.children ?? []) {
      const name = NAMES.get(door.name);
      if (name === undefined) throw new Error(`package.json exports nothing of src/${door.name}`);
      NAMES.delete(door.name);
      door.name = name;
    }
    if (NAMES.size > 0) throw new Error(`typedoc.json does not name ${[...NAMES.keys()].join(", ")}`);
  });
  // After TypeDoc's own grouping, which sorts by name.
  app.converter.on(
    Converter.EVENT_RESOLVE_END,
    ({ project }) => {
      for (const { groups } of project.getReflectionsByKind(ReflectionKind.All))
        for (const { children } of groups ?? []) children.sort((a, b) => rank(a) - rank(b));
    },
    -1000,
  );
}
