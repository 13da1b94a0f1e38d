/** The texts of rows that may name objects: which rows a database has to return, and what is in them. */
import { isUtf8 } from "node:buffer";
import { failure } from "../../errors.js";
import type { FoundReference } from "../../references.js";

/** How the values of a table are read. */
export interface RowValues {
  /** The expression of what is read. */
  text: string;
  /** The condition of rows that may name an object. */
  where: string;
  /** Returns the texts of what was read. Throws Corrupt for what cannot be read: it may hold a reference. */
  texts(read: string, table: string): Iterable<FoundReference>;
}

export const TEXT = "CAST(value AS TEXT)";

/**
 * What any text with a path holds: `:/`, as it stands or by JSON's escapes, of which `_` is the backslash, also of JSON
 * inside a text. Databases keep JSON as it was written, unless its type is a binary one.
 */
const MARKS = [":/", ":_/", ":__/", ":____/", "u003a", "u003A", "u002f", "u002F"];
const HAS_MARK = `(${MARKS.map((mark) => `${TEXT} LIKE '%${mark}%'`).join(" OR ")})`;

/** The same as bytes. */
const BYTE_MARKS = MARKS.map((mark) => Buffer.from(mark.replaceAll("_", "\\")).toString("hex"));
const anyMark = (condition: (hex: string) => string) => `(${BYTE_MARKS.map(condition).join(" OR ")})`;

const HEX_IN_POSTGRES = "encode(value, 'hex')";
const inPostgres = (hex: string) => `position('\\x${hex}'::bytea IN value) > 0`;
const inMySql = (hex: string) => `locate(0x${hex}, value) > 0`;
const inSqlite = (hex: string) => `instr(value, X'${hex}') > 0`;

export const JSON_VALUES: RowValues = { text: TEXT, where: HAS_MARK, texts: textsInJson };

/** Columns of bytes, as Airflow 2 had them and its archives still have. */
export const BYTE_VALUES = {
  postgres: { text: HEX_IN_POSTGRES, where: anyMark(inPostgres), texts: textsInBytes },
  mysql: { text: "hex(value)", where: anyMark(inMySql), texts: textsInBytes },
} satisfies Record<string, RowValues>;

/** A column of SQLite may hold both. */
export const SQLITE_VALUES: readonly RowValues[] = [
  { ...JSON_VALUES, where: `typeof(value) <> 'blob' AND ${HAS_MARK}` },
  { text: "hex(value)", where: `typeof(value) = 'blob' AND ${anyMark(inSqlite)}`, texts: textsInBytes },
];

const PATH_MARK = Buffer.from("://").toString("hex");
/** Tables of pickles alone. */
export const PICKLED_VALUES = {
  postgres: { text: HEX_IN_POSTGRES, where: inPostgres(PATH_MARK), texts: textsInPickle },
  mysql: { text: "hex(value)", where: inMySql(PATH_MARK), texts: textsInPickle },
  sqlite: { text: "hex(value)", where: inSqlite(PATH_MARK), texts: textsInPickle },
} satisfies Record<string, RowValues>;

const MAY_NAME = /:\\*\/|u003a|u002f/i;

/** Yields the texts of a value of a row: the value itself if it is one, else those inside it that may name an object. */
export function* textsInValue(value: unknown, where: string): Generator<FoundReference> {
  if (typeof value === "string") {
    yield { text: value, where };
    return;
  }
  const pending = [value];
  while (pending.length > 0) {
    const one = pending.pop();
    if (typeof one === "string") {
      if (MAY_NAME.test(one)) yield { text: one, where, isInside: true };
    } else if (typeof one === "object" && one !== null)
      for (const [name, inner] of Object.entries(one)) pending.push(...(Array.isArray(one) ? [] : [name]), inner);
  }
}

function* textsInJson(json: string, table: string): Generator<FoundReference> {
  yield* textsInValue(parsedValue(json, table), table);
}

/** Returns the value of JSON text. A row that cannot be read may hold a reference that nothing would count. */
export function parsedValue(json: string, table: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw failure("Corrupt", `${table} has a value that is no JSON: ${json.slice(0, 100)}`, { cause });
  }
}

/** The first byte of a pickle, from protocol 2 of 2003 on. */
const PICKLED = 0x80;

function* textsInBytes(hex: string, table: string): Generator<FoundReference> {
  const bytes = Buffer.from(hex, "hex");
  if (bytes[0] === PICKLED) yield* textsInPickle(hex, table);
  else if (isUtf8(bytes)) yield* textsInJson(bytes.toString(), table);
  else throw failure("Corrupt", `${table} has a value that is neither JSON nor a pickle`);
}

/**
 * Bytes of the length that follows an opcode of a text: SHORT_BINUNICODE, BINUNICODE and BINUNICODE8 of Python's
 * pickle.
 */
const LENGTHS: Readonly<Record<number, number>> = { 140: 1, 88: 4, 141: 8 };

/** Yields what may be a path in a pickle, without running it: what follows any byte that is the opcode of a text. */
function* textsInPickle(hex: string, table: string): Generator<FoundReference> {
  const pickle = Buffer.from(hex, "hex");
  let count = 0;
  for (let at = 0; at < pickle.length; at++) {
    const bytes = LENGTHS[pickle[at]!];
    const begin = at + 1 + (bytes ?? 0);
    if (bytes === undefined || begin > pickle.length) continue;
    const length = bytes === 8 ? Number(pickle.readBigUInt64LE(at + 1)) : pickle.readUIntLE(at + 1, bytes);
    const text = pickle.toString("utf8", begin, Math.min(pickle.length, begin + length));
    if (begin + length > pickle.length || !text.includes("://")) continue;
    count += 1;
    yield { text, where: table };
  }
  // Texts of older protocols, and bytes: whatever path is in there counts.
  if (count === 0) yield { text: pickle.toString(), where: table, isInside: true };
}
