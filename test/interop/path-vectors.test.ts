/** StoragePath beside what Airflow's ObjectStoragePath answered, every deliberate difference named. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isStorageError } from "../../src/errors.js";
import { providerOf, StoragePath } from "../../src/path.js";

/** What is compared, by name: the properties, and `join <segment>` for each segment joined. */
type Fields = Record<string, unknown>;

interface Answer {
  input: string;
  connIdArg?: string;
  scheme: string;
  connId: string | null;
  bucket: string;
  fsPath: string;
  str: string;
  name: string;
  stem: string;
  suffix: string;
  suffixes: string[];
  parent: string;
  parts: string[];
  joined: Record<string, string>;
  joinedMulti: string;
  joinedMultiNested: string;
}
interface Refusal {
  input: string;
  error: string;
}
interface Relation {
  a: string;
  b: string;
  aConnId?: string;
  bConnId?: string;
  equal: boolean;
  isRelativeTo: boolean;
  relativeTo: string | { error: string };
}

const file = new URL("../vectors/paths.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as { cases: (Answer | Refusal)[]; relations: Relation[] };
const answers = vectors.cases.filter((vector): vector is Answer => !("error" in vector));
const refusals = vectors.cases.filter((vector): vector is Refusal => "error" in vector);

/** Airflow answers, stowage refuses. The first that fits counts. */
const REFUSED: [title: string, fits: (vector: Answer) => boolean][] = [
  ["a text without a scheme is refused, where Airflow takes a local path", ({ scheme }) => scheme === ""],
  ["TAB, CR, LF and NUL are refused, where Airflow strips the first three", ({ input }) => /[\t\r\n\0]/.test(input)],
  [
    "a chain that starts before the scheme or in the bucket is refused",
    ({ input }) => /^\w+(:\/\/[^/]+)?::/.test(input),
  ],
  ["a path needs ://, but for file:/path", ({ input }) => !input.includes("://") && !input.startsWith("file:/")],
  ["user:password@ is refused, where Airflow takes it for a connection id", ({ connId }) => !!connId?.includes(":")],
  [
    "file://host/path and file:// alone are refused, where Airflow starts from the working directory",
    ({ input }) => /^(file|local):\/\/([^/]*@)?([^/@][^/@]*(\/|$)|$)/i.test(input),
  ],
  [
    "a missing bucket is refused, where Airflow makes one up",
    ({ input }) => /^(?!file|local)\w+:\/\/([^/]*@)?(\/|$)/.test(input),
  ],
  ["an account's host name is refused, where Airflow drops it", ({ input }) => /\.(dfs|blob)\.core\./.test(input)],
  ["a port after the bucket is refused", ({ input }) => /^\w+:\/\/[^/]*:\d+(\/|$)/.test(input)],
  ["? and # in the bucket are refused", ({ input }) => /^\w+:\/\/[^/]*[?#]/.test(input)],
];

/** Airflow takes the text apart in another way; stowage keeps it as it was written. The first that fits counts. */
const AS_WRITTEN: [title: string, fits: (vector: Answer) => boolean][] = [
  ["memory:// has a bucket, and prints it like the clouds", ({ scheme }) => scheme === "memory"],
  ["a scheme without a driver of ours is read like a cloud's", ({ scheme }) => providerOf(scheme) === undefined],
  ["`::` is part of the key, where Airflow starts a chain", ({ input }) => input.includes("::")],
  ["an empty segment after file:// is kept, where Airflow drops it", ({ input }) => input.startsWith("file:////")],
  [
    "? and # are part of the key everywhere, where Airflow drops or moves them on Azure and GCS",
    ({ scheme, input }) => !["s3", "s3a", "file"].includes(scheme) && /[?#]/.test(input),
  ],
];

/** Airflow's answer in one field, brought to ours. All apply, in this order. */
const MENDED: [title: string, mend: (value: unknown, field: string, vector: Answer) => unknown][] = [
  [
    "an absolute segment is text on every scheme, where Airflow replaces the path on file:// and abfss://",
    (value, field, { joined, scheme }) => {
      if (!["file", "local", "abfss"].includes(scheme)) return value;
      if (field === "join /abs") return `${below(joined)}/abs`;
      return field === "joinedMultiNested" ? `${below(joined)}d/e/r+1:2/t.u//abs` : value;
    },
  ],
  [
    "a path as a segment is text, where Airflow refuses another provider's",
    (value, field, { joined }) => (field === "join s3://other/k" ? `${below(joined)}s3://other/k` : value),
  ],
  [
    "? and # in a segment stay in their place on Azure",
    (value, field, { joined }) => (field === "join q?1#f" ? `${below(joined)}q?1#f` : value),
  ],
  [
    "trailing slashes are always dropped, where Airflow keeps them on GCS and Azure without a connection id",
    (value, _, { scheme, connId }) => {
      if (typeof value !== "string" || connId !== null || !["gs", "azure"].includes(`${providerOf(scheme)}`))
        return value;
      return value.replace(/^(\w+:\/\/[^/]*\/.*?)\/+$/s, "$1").replace(/^(\w+:\/\/[^/]*)$/, "$1/");
    },
  ],
  [
    "a leading dot starts a suffix on every scheme, where Airflow leaves it out on file://",
    (value, field, { name, scheme }) => {
      if (providerOf(scheme) !== "file" || !name.startsWith(".")) return value;
      const dot = name.lastIndexOf(".");
      if (field === "stem") return name.slice(0, dot);
      if (field === "suffix") return name.slice(dot);
      return field === "suffixes"
        ? name
            .slice(1)
            .split(".")
            .map((part) => `.${part}`)
        : value;
    },
  ],
];

function below(joined: Record<string, string>): string {
  return `${joined.a}`.slice(0, -1);
}

function airflows(vector: Answer): Fields {
  const { scheme, connId, bucket, fsPath, str, name, stem, suffix, suffixes, parent, parts, joined } = vector;
  const { joinedMulti, joinedMultiNested } = vector;
  const joins = Object.entries(joined).map(([segment, value]) => [`join ${segment}`, value]);
  const own = { scheme, connId, bucket, fsPath, str, name, stem, suffix, suffixes, parent, parts };
  return { ...own, joinedMulti, joinedMultiNested, ...Object.fromEntries(joins) };
}

function ours(path: StoragePath, { joined }: Answer): Fields {
  const { scheme, bucket, key, name, stem, suffix, suffixes, parts } = path;
  const joins = Object.keys(joined).map((segment) => [`join ${segment}`, String(path.join(segment))]);
  return {
    scheme,
    connId: path.connectionId ?? null,
    bucket,
    fsPath: `${bucket}/${key}`,
    str: String(path),
    name,
    stem,
    suffix,
    suffixes,
    parent: String(path.parent),
    parts,
    joinedMulti: String(path.join("d", "r", "t", "u.gz")),
    joinedMultiNested: String(path.join("d/e", "r+1:2", "t.u", "/abs")),
    ...Object.fromEntries(joins),
  };
}

function titleOf(rules: [title: string, fits: (vector: Answer) => boolean][], vector: Answer): string | undefined {
  return rules.find(([, fits]) => fits(vector))?.[0];
}

function refuses(text: string): boolean {
  try {
    StoragePath.parse(text);
    return false;
  } catch (error) {
    return isStorageError(error, "InvalidArgument");
  }
}

const given = answers.filter(({ connIdArg }) => connIdArg === undefined);
const taken = given.filter((vector) => !titleOf(REFUSED, vector));
/** Where the input is refused for its relative file path, what Airflow made of it is a path all the same. */
const resolved = given
  .filter((vector) => titleOf(REFUSED, vector)?.startsWith("file://host"))
  .map((vector) => ({ ...vector, input: vector.str }));
const same = [...taken, ...resolved].filter((vector) => !titleOf(AS_WRITTEN, vector));

describe("Airflow's paths", () => {
  it("has vectors for every rule, and most of them need none", () => {
    expect(given.length).toBeGreaterThan(600);
    expect(same.length).toBeGreaterThan(350);
    expect(same.filter(({ scheme }) => scheme === "s3").length).toBeGreaterThan(80);
  });

  it.each(same)("$input: every field is Airflow's", (vector) => {
    const expected = Object.entries(airflows(vector)).map(([field, value]) => [
      field,
      MENDED.reduce((before, [, mend]) => mend(before, field, vector), value),
    ]);
    expect(ours(StoragePath.parse(vector.input), vector)).toEqual(Object.fromEntries(expected));
  });

  it.each(taken)("$input: prints what parses to an equal path", ({ input }) => {
    const path = StoragePath.parse(input);
    expect(StoragePath.parse(String(path)).equals(path)).toBe(true);
  });

  it.each(taken.filter(({ connId }) => connId !== null))(
    "$input: $connId is the connection id",
    ({ input, connId }) => {
      expect(StoragePath.parse(input).connectionId).toBe(connId);
    },
  );
});

describe("differences from Airflow: refused", () => {
  it.each(REFUSED.map(([title]) => title))("%s", (title) => {
    const those = given.filter((vector) => titleOf(REFUSED, vector) === title);
    expect(those).not.toEqual([]);
    expect(those.map(({ input }) => input).filter((input) => !refuses(input))).toEqual([]);
  });
});

describe("differences from Airflow: kept as written", () => {
  it.each(AS_WRITTEN.map(([title]) => title))("%s", (title) => {
    const those = taken.filter((vector) => titleOf(AS_WRITTEN, vector) === title);
    expect(those).not.toEqual([]);
    for (const { input } of those) {
      const [, scheme = "", at = "", bucket = "", key = ""] =
        /^(\w+):\/\/([^/]*@)?([^/@]*)(?:\/(.*?)\/*)?$/s.exec(input) ?? [];
      expect(String(StoragePath.parse(input))).toBe(
        `${scheme.toLowerCase()}://${at === "@" ? "" : at}${bucket}/${key}`,
      );
    }
  });
});

describe("differences from Airflow: answered otherwise", () => {
  it.each(MENDED)("%s", (_, mend) => {
    const changed = same.filter((vector) =>
      Object.entries(airflows(vector)).some(([field, value]) => mend(value, field, vector) !== value),
    );
    expect(changed).not.toEqual([]);
  });
});

describe("what Airflow refuses", () => {
  const azure = /^(azblob|wasbs?):\/\/(?!c@a\.)/;
  const unknown = /^(s3n|adl|oss|s3\+x|msgraph|sharepoint|unknownscheme|r2|minio|cos|obs):\/\//;

  it("difference: azblob, wasb and wasbs are Azure's", () => {
    const those = refusals.filter(({ input }) => azure.test(input)).map(({ input }) => StoragePath.parse(input));
    expect(new Set(those.map(({ scheme }) => providerOf(scheme)))).toEqual(new Set(["azure"]));
  });

  it("difference: any well-formed scheme parses, and only opening it needs a driver", () => {
    const those = refusals.filter(({ input }) => unknown.test(input)).map(({ input }) => StoragePath.parse(input));
    expect(new Set(those.map(({ scheme }) => providerOf(scheme)))).toEqual(new Set([undefined]));
  });

  it.each(refusals.filter(({ input }) => !azure.test(input) && !unknown.test(input)))(
    "$input is refused",
    ({ input }) => {
      expect(refuses(input)).toBe(true);
    },
  );
});

describe("a connection id from elsewhere", () => {
  const withId = answers.filter((vector) => vector.connIdArg !== undefined && !titleOf(REFUSED, vector));
  const clouds = withId.filter(({ scheme }) => ["s3", "gs", "abfs", "file"].includes(scheme));
  const place = (vector: Answer) => {
    const path = StoragePath.parse(vector.input);
    const id = vector.input.includes("@") ? path.connectionId : vector.connIdArg || undefined;
    return StoragePath.of({ ...path, connectionId: id });
  };
  const odd = /[/?#]/;

  it.each(clouds.filter(({ connIdArg }) => !odd.test(`${connIdArg}`)))(
    "$connIdArg in $input prints as in Airflow",
    (vector) => {
      expect(String(place(vector))).toBe(vector.str);
    },
  );

  it("difference: one with / ? or # is refused, where Airflow prints what it cannot read back", () => {
    const those = clouds.filter(({ connIdArg, input }) => odd.test(`${connIdArg}`) && !input.includes("@"));
    expect(those).not.toEqual([]);
    for (const vector of those) expect(() => place(vector)).toThrow("a connection id has no / ? or #");
  });
});

describe("Airflow's relations", () => {
  const path = (text: string, id: string | undefined) => {
    const parsed = StoragePath.parse(text);
    return id === undefined ? parsed : StoragePath.of({ ...parsed, connectionId: id });
  };
  const withScheme = vectors.relations.filter(({ a, b }) => !a.startsWith("/") && !b.startsWith("/"));
  const pairs = withScheme.map((relation) => {
    const [a, b] = [path(relation.a, relation.aConnId), path(relation.b, relation.bConnId)];
    return { ...relation, left: a, right: b, alike: a.scheme === b.scheme && a.connectionId === b.connectionId };
  });

  it.each(pairs)("$a and $b: equality is Airflow's", ({ left, right, equal }) => {
    expect(left.equals(right)).toBe(equal);
  });

  it.each(pairs.filter(({ alike }) => alike))("$a below $b: the same answer", ({ left, right, isRelativeTo }) => {
    expect(left.isRelativeTo(right)).toBe(isRelativeTo);
  });

  it("difference: another scheme or connection is never below, where Airflow compares the keys alone", () => {
    const strangers = pairs.filter(({ alike }) => !alike);
    expect(strangers.some(({ isRelativeTo }) => isRelativeTo)).toBe(true);
    for (const { left, right } of strangers) expect(left.isRelativeTo(right)).toBe(false);
  });

  it.each(pairs.filter(({ alike, isRelativeTo, aConnId }) => alike && isRelativeTo && aConnId === undefined))(
    "$a relative to $b",
    ({ left, right, relativeTo }) => {
      expect(left.relativeTo(right)).toBe(relativeTo === "." ? "" : relativeTo);
    },
  );

  it("difference: a path relative to itself is the empty text, which joins to itself, where Airflow says `.`", () => {
    const path = StoragePath.parse("s3://b/x");
    expect(path.relativeTo(path)).toBe("");
    expect(path.join("").equals(path)).toBe(true);
  });

  it("difference: relativeTo works on a path with a connection id, where Airflow's result cannot be printed", () => {
    const base = StoragePath.parse("s3://c@b/x");
    expect(base.join("y", "z").relativeTo(base)).toBe("y/z");
  });
});
