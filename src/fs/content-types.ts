/** Content types by suffix; the table is made at build time, since mime-types itself is CommonJS and reads JSON at run time. */
import { CONTENT_TYPES } from "./content-types.data.js";

/** Unpacks `family:subtype suffix suffix,subtype,…`, one family a line; a lone subtype is its own suffix. */
function unpack(packed: string): ReadonlyMap<string, string> {
  const types = new Map<string, string>();
  for (const line of packed.split("\n")) {
    const colon = line.indexOf(":");
    for (const entry of line.slice(colon + 1).split(",")) {
      const [subtype, ...suffixes] = entry.split(" ");
      for (const suffix of suffixes.length > 0 ? suffixes : [subtype!]) {
        types.set(suffix, `${line.slice(0, colon)}/${subtype}`);
      }
    }
  }
  return types;
}

const TYPES = /* @__PURE__ */ unpack(CONTENT_TYPES);

/** The content type that the last suffix of `name` (a file name or a key) stands for, if it stands for one; any case. */
export function contentTypeOf(name: string): string | undefined {
  const dot = name.lastIndexOf(".");
  // A name like `.json` is hidden, not a suffix.
  if (dot <= name.lastIndexOf("/") + 1) return undefined;
  return TYPES.get(name.slice(dot + 1).toLowerCase());
}
