/** Which types may be stored and loaded, by patterns on their names. */
import { isInstance } from "../brand.js";
import { failure, invalid } from "../errors.js";
import type { Encoding, Fields } from "./encoding/encoding.js";
import type { XComFeatures } from "./features.js";
import { nameAndVersion } from "./serializer.js";

type AllowList = (name: string) => boolean;

/** Always allowed: with JSON itself, the class that stands for lists which Python must not change. */
const TUPLE = "builtins.tuple";

/** Reads the option `allowedTypes` of a backend. */
export const allowedTypes: XComFeatures = {
  allowedTypes(patterns) {
    const allows = allowList(patterns);
    return {
      checkSerializer(name, code) {
        // A pattern can name it with its version and without.
        if (!allows(name) && !allows(nameAndVersion(name).type)) throw failure(code, refusal(name));
      },
      restricted: (encoding) => restricted(encoding, allows),
    };
  },
};

/**
 * Patterns as in Airflow's `allowed_deserialization_classes`, in a list or separated by spaces: `*`, `?`, `[ab]` and
 * `[!ab]`, matched against whole names.
 */
function allowList(patterns: readonly string[] | string): AllowList {
  const all = typeof patterns === "string" ? patterns.split(/\s+/).filter(Boolean) : patterns;
  const matchers = all.map(matcher);
  return (name) => name === TUPLE || matchers.some((matches) => matches.test(name));
}

function matcher(pattern: string): RegExp {
  if (typeof pattern !== "string" || pattern === "" || /\s/.test(pattern))
    throw invalid(`allowedTypes: ${JSON.stringify(pattern)} is no pattern such as "my_package.*"`);
  const source = pattern.replace(/\*+/g, "*").replace(/\[(!?)(\]?[^\]]*)\]|[\s\S]/gu, translated);
  try {
    return new RegExp(`^${source}$`, "u");
  } catch (cause) {
    throw invalid(`allowedTypes: ${JSON.stringify(pattern)} has a range that runs backwards`, {
      cause,
    });
  }
}

function translated(token: string, not: string | undefined, set: string | undefined): string {
  if (set !== undefined) return `[${not ? "^" : ""}${set.replace(/[\\\]^[]/g, "\\$&")}]`;
  if (token === "*") return ".*";
  if (token === "?") return ".";
  return escaped(token);
}

/** The encoding, less the classes that are not allowed: refused when they are written, and when they are read. */
function restricted(encoding: Encoding, allows: AllowList): Encoding {
  return {
    ...encoding,
    lower(value, form) {
      const lowered = encoding.lower(value, form);
      const name = isInstance<Fields>(lowered.value, "Fields") ? classnameOf(lowered.value) : undefined;
      if (name !== undefined && !allows(name)) throw invalid(refusal(name));
      return lowered;
    },
    revive(object) {
      const name = typeNameOf(object);
      if (name !== undefined && !allows(name)) throw failure("PermissionDenied", refusal(name));
      return encoding.revive(object);
    },
  };
}

function refusal(name: string): string {
  return `the type ${name} is not in allowedTypes; add it, or a pattern for it, if it may be`;
}

function classnameOf({ entries }: Fields): string | undefined {
  const [first] = entries;
  return first?.[0] === "__classname__" ? String(first[1]) : undefined;
}

/** The class of an envelope, also of the older form of one. */
function typeNameOf(object: Record<string, unknown>): string | undefined {
  if (Object.hasOwn(object, "__classname__") && Object.hasOwn(object, "__version__"))
    return String(object.__classname__);
  if (!Object.hasOwn(object, "__type") || !Object.hasOwn(object, "__var")) return undefined;
  return OLDER.get(object.__type);
}

const OLDER: ReadonlyMap<unknown, string> = new Map([
  ["set", "builtins.set"],
  ["frozenset", "builtins.frozenset"],
  ["datetime", "datetime.datetime"],
  ["timedelta", "datetime.timedelta"],
]);

/** Text as a part of a regular expression. */
export function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
