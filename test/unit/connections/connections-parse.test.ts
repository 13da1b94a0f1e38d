import { describe, expect, test } from "vitest";
import { connectionVariable, parseConnection, revealed, toConnection } from "../../../src/connections/index.js";
import { isStorageError } from "../../../src/errors.js";
import { caught } from "../../support/caught.js";
import vectors from "../../vectors/connections.json" with { type: "json" };

interface Expected {
  connType?: string | null;
  host?: string | null;
  login?: string | number | null;
  password?: string | null;
  schema?: string | null;
  port?: number | null;
  extra?: string | null;
  extraDejson?: unknown;
  description?: string | null;
  error?: string;
}

/** Airflow's own answer in our terms: a missing type is "", a numeric login is text, `$float` marks a Python float. */
function expected(sdk: Expected) {
  return {
    type: sdk.connType ?? "",
    host: sdk.host ?? undefined,
    login: sdk.login === null || sdk.login === undefined ? undefined : String(sdk.login),
    password: sdk.password ?? undefined,
    schema: sdk.schema ?? undefined,
    port: sdk.port ?? undefined,
    extra: expectedExtra(sdk),
    description: sdk.description ?? undefined,
  };
}

function expectedExtra({ extra, extraDejson }: Expected): unknown {
  if (!extra) return {};
  const isObject = typeof extraDejson === "object" && extraDejson !== null && !Array.isArray(extraDejson);
  const holdsJson = extra.startsWith("{");
  return isObject && holdsJson ? floats(extraDejson) : { __extra__: extra };
}

function floats(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const marked = (value as { $float?: string }).$float;
  if (marked !== undefined) return marked === "nan" ? Number.NaN : Number.POSITIVE_INFINITY;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, floats(inner)]));
}

/** Pieces of the text long enough to be a secret. */
function pieces(text: string): string[] {
  return text.split(/[^\p{L}\p{N}]+/u).filter((piece) => piece.length > 3);
}

describe("a connection text is read as Airflow's task SDK reads it", () => {
  test.each(vectors.cases.map((entry, index) => ({ ...entry, index })))("$index: $value", ({ value, sdk }) => {
    const wanted = sdk as Expected;
    if (wanted.error) {
      expect(
        isStorageError(
          caught(() => parseConnection(value, "my_conn")),
          "InvalidArgument",
        ),
      ).toBe(true);
      return;
    }
    const { id, password, extra, ...rest } = parseConnection(value, "my_conn");
    expect(id).toBe("my_conn");
    expect({ ...rest, password: password?.reveal(), extra: revealed(extra) }).toEqual(expected(wanted));
  });

  test("every refused text is refused without being repeated, in message, cause or stack", () => {
    const refused = vectors.cases.filter(({ value, sdk }) => "error" in sdk && !value.startsWith("{"));
    expect(refused.length).toBeGreaterThan(30);
    for (const { value } of refused) {
      const error = caught(() => parseConnection(value)) as Error;
      expect(error.cause).toBeUndefined();
      for (const piece of pieces(value.replace("host", ""))) expect(error.message).not.toContain(piece);
    }
  });

  test("a wrong JSON text that starts well is refused without the snippet that JSON.parse puts into its message", () => {
    const error = caught(() => parseConnection('{"conn_type":"aws","password":"hunter22"')) as Error;
    expect(String(error.stack)).not.toContain("hunter22");
  });

  // Answers of Python 3.11's urlsplit as Airflow uses it, found by comparing half a million random texts.
  test.each([
    ["AWS://_:aws://", { type: "aws", host: "aws://_", schema: "", port: undefined }],
    ["aws://\u{1f600}http:///k", { type: "aws", host: "", schema: "http:///k" }],
    ["http://http://\u{1f600}", { type: "http", host: "", schema: "" }],
    ["aws://\u2100h", undefined],
    ["aws://[v1.x]/s", { host: "v1.x", schema: "s" }],
    ["aws://[fe80::1%25Eth0]", { host: "fe80::1%Eth0" }],
  ])("%j is read as Python reads it", (text, fields) => {
    if (fields) expect(parseConnection(text)).toMatchObject(fields);
    else expect(() => parseConnection(text)).toThrow(/InvalidArgument/);
  });

  test.each(["", " ", "\n"])("nothing but white space (%j) is refused", (text) => {
    expect(() => parseConnection(text)).toThrow(/InvalidArgument/);
  });

  test("a hostile text is refused or read in linear time", () => {
    const start = performance.now();
    for (const unit of [
      "%41",
      "@",
      "[",
      "?a=",
      "{",
      '"',
      "&=",
      "://x",
      "-BEGIN ",
      "a:",
      "_dict",
      '\\"',
      " ",
      "9",
      "/",
    ]) {
      for (const head of ["x://", "{", '{"', "x://h?a=", "x://h?a=%3A//"]) {
        try {
          parseConnection(`${head}${unit.repeat(100_000)}x`);
        } catch (error) {
          expect(isStorageError(error, "InvalidArgument")).toBe(true);
        }
      }
    }
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  test("an extra nested deeper than any real one is refused, not a stack overflow", () => {
    const text = `{"conn_type":"x","extra":{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}}`;
    expect(() => parseConnection(text)).toThrow(/InvalidArgument/);
  });

  test("__proto__ in a connection text is plain data", () => {
    const { extra } = parseConnection('{"conn_type":"x","extra":{"__proto__":{"anon":true}}}');
    expect(Object.hasOwn(extra, "__proto__")).toBe(true);
    expect((extra as { anon?: unknown }).anon).toBeUndefined();
    expect(() => parseConnection('{"conn_type":"x","__proto__":{}}')).toThrow(/InvalidArgument/);
  });

  test("the environment variable of an id is Airflow's", () => {
    for (const { connId, envVar } of vectors.envNames) expect(connectionVariable(connId)).toBe(envVar[0]);
  });
});

describe("connections that a program writes down", () => {
  test("a record gets Airflow's type name, its secrets sealed and its id", () => {
    const made = toConnection("a", {
      type: "google-cloud-platform",
      password: "pw",
      extra: { token: "t", project: "p" },
    });
    expect(made).toMatchObject({ id: "a", type: "google_cloud_platform", extra: { project: "p" } });
    expect(made.password?.reveal()).toBe("pw");
    expect(revealed(made.extra)).toEqual({ token: "t", project: "p" });
  });

  test("a text is read in Airflow's forms", () => {
    expect(toConnection("a", "aws://k:s@").login).toBe("k");
  });

  test("a connection is taken as it is, and is frozen", () => {
    const made = parseConnection("aws://k:s@", "a");
    expect(toConnection("b", made)).toBe(made);
    expect(Object.isFrozen(made)).toBe(true);
  });

  test.each([
    ["an unknown field", { type: "aws", pasword: "x" }, /pasword/],
    ["a password that is no text", { type: "aws", password: 5 }, /password/],
    ["a fractional port", { type: "aws", port: 1.5 }, /port/],
    ["an extra that is a list", { type: "aws", extra: [] }, /extra/],
    ["an extra that holds a Date", { type: "aws", extra: { a: new Date(0) } }, /extra/],
    ["no type", { host: "h" }, /type/],
    ["null", null, /record/],
  ])("%s is InvalidArgument and named", (_, input, name) => {
    const error = caught(() => toConnection("a", input as never)) as Error;
    expect(isStorageError(error, "InvalidArgument")).toBe(true);
    expect(error.message).toMatch(name);
  });
});
