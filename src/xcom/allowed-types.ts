/** Restricts the types that may be stored and loaded, by patterns on their names. */
import { isInstance } from "../brand.js";
import { failure, invalid } from "../errors.js";
import type { Encoding, Fields } from "./encoding/encoding.js";
import type { XComFeatures } from "./features.js";
import { nameAndVersion } from "./serializer.js";

type AllowList = (name: string) => boolean;

/** Always allowed, like JSON itself: the class for lists that Python must not change. */
const TUPLE = "builtins.tuple";

/** Implements the backend's option `allowedTypes`. */
export const allowedTypes: XComFeatures = {
  allowedTypes(patterns) {
    const allows = allowList(patterns);
    return {
      checkSerializer(name, code) {
        // A pattern can name the type with or without its version.
        if (!allows(name) && !allows(nameAndVersion(name).type)) throw failure(code, refusal(name));
      },
      restricted: (encoding) => restrictTypes(encoding, allows),
    };
  },
};

/**
 * Compiles patterns as in Airflow's `allowed_deserialization_classes`, given as a list or separated by spaces: `*`,
 * `?`, `[ab]` and `[!ab]`, matched against whole names.
 */
function allowList(patterns: readonly string[] | string): AllowList {
  const all = typeof patterns === "string" ? patterns.split(/\s+/).filter(Boolean) : patterns;
  const matchers = all.map(matcher);
  return (name) => name === TUPLE || matchers.some((matches) => matches.test(name));
}

/** Maximum length of a class name, in characters; no pattern allows a longer one. Python's own are far shorter. */
const MAX_NAME = 1000;

interface Matcher {
  test(name: string): boolean;
}

/**
 * Compiles a pattern cut at its stars. Each piece matches a fixed number of characters, so its first match is as good
 * as any later one: there is no backtracking, however many stars there are.
 */
function matcher(pattern: string): Matcher {
  if (typeof pattern !== "string" || pattern === "" || /\s/.test(pattern))
    throw invalid(`allowedTypes: ${JSON.stringify(pattern)} is no pattern such as "my_package.*"`);
  try {
    const pieces = piecesOf(pattern);
    const whole = pieces.length === 1 ? new RegExp(`^${pieces[0]}$`, "u") : undefined;
    const [first, last] = [new RegExp(`^${pieces[0]}`, "u"), new RegExp(`${pieces.at(-1)}$`, "u")];
    const between = pieces.slice(1, -1).map((source) => new RegExp(source, "u"));
    return { test: (name) => name.length <= MAX_NAME && (whole?.test(name) ?? isMatch(name, first, between, last)) };
  } catch (cause) {
    throw invalid(`allowedTypes: ${JSON.stringify(pattern)} has a range that runs backwards`, { cause });
  }
}

function isMatch(name: string, first: RegExp, between: readonly RegExp[], last: RegExp): boolean {
  let rest: string | undefined = name;
  for (const piece of [first, ...between]) {
    const found: RegExpExecArray | null = piece.exec(rest);
    if (!found) return false;
    rest = rest.slice(found.index + found[0].length);
  }
  return last.test(rest);
}

/** Returns the regular expressions of the pieces between the stars; brackets contain no star. */
function piecesOf(pattern: string): string[] {
  const pieces = [""];
  for (const [token, not, set] of pattern.matchAll(/\[(!?)(\]?[^\]]*)\]|[\s\S]/gu)) {
    if (token === "*") pieces.push("");
    else pieces.push(pieces.pop() + translatePattern(token, not, set));
  }
  return pieces;
}

function translatePattern(token: string, not: string | undefined, set: string | undefined): string {
  if (set !== undefined) return `[${not ? "^" : ""}${set.replace(/[\\\]^[]/g, "\\$&")}]`;
  return token === "?" ? "." : escaped(token);
}

/** Returns the encoding without the classes that are not allowed: both writing and reading one is refused. */
function restrictTypes(encoding: Encoding, allows: AllowList): Encoding {
  return {
    ...encoding,
    lower(value, form, zones) {
      const lowered = encoding.lower(value, form, zones);
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

/** Returns the class of an envelope, including the older form. */
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

/** Escapes text for a regular expression. */
export function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
