/** A plugin of TypeDoc that gives each entry point the name under which it is imported: `stowage/s3`. */
import { readFileSync } from "node:fs";
import { Converter } from "typedoc";

const { exports } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

/** The names by TypeDoc's own, which are paths below `src`. */
const NAMES = new Map(
  Object.entries(exports).flatMap(([door, { types }]) => {
    const source = types?.replace(/^\.\/dist\//, "").replace(/(?:(?<=.)\/index)?\.d\.ts$/, "");
    return source ? [[source, `stowage${door.slice(1)}`]] : [];
  }),
);

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
}
