/** Airflow's settings of the object storage backend, with Airflow's own parsing. */

import { type CodecName, SUFFIXES } from "../codecs/codec.js";
import { invalid } from "../errors.js";

/** Environment variables by name. */
export type Env = Readonly<Record<string, string | undefined>>;

/** The codecs that Airflow's backend can name: its reader recognises them by their suffix. */
const COMPRESSIONS = (Object.keys(SUFFIXES) as CodecName[]).filter(
  (name): name is XComCompression => name !== "snappy",
);

export type XComCompression = Exclude<CodecName, "snappy">;

export interface XComSettings {
  path: string;
  threshold: number;
  compression: XComCompression | null;
}

const PREFIX = "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_";

/** The environment variables of the settings. */
export const SETTING = {
  path: `${PREFIX}PATH`,
  threshold: `${PREFIX}THRESHOLD`,
  compression: `${PREFIX}COMPRESSION`,
} as const;

/** Returns the three settings. Throws InvalidArgument if the path is missing or a value is one that Airflow refuses. */
export function settingsFromEnv(env: Env): XComSettings {
  const path = env[SETTING.path] ?? "";
  if (path === "") throw invalid(`${SETTING.path} is not set; set it to a path such as s3://my_conn@my_bucket/xcom`);
  return { path, threshold: thresholdOf(env[SETTING.threshold]), compression: compressionOf(env) };
}

function thresholdOf(text: string | undefined): number {
  if (text === undefined) return -1;
  const value = pythonInt(text);
  if (value === undefined)
    throw invalid(`${SETTING.threshold}: ${JSON.stringify(text)} is not a valid threshold, expected an integer`);
  return value;
}

function compressionOf(env: Env): XComCompression | null {
  const name = env[SETTING.compression] ?? "";
  return name === "" ? null : checkCompression(name);
}

/** Returns the codec if Airflow's reader recognises it by its suffix; throws InvalidArgument otherwise. */
export function checkCompression(name: string): XComCompression {
  const known = COMPRESSIONS.find((one) => one === name);
  if (known) return known;
  throw invalid(`unknown compression ${JSON.stringify(name)} (expected one of ${COMPRESSIONS.join(", ")})`);
}

/** Returns the suffix that this codec adds to an object's name. */
export function suffixOf(compression: XComCompression | null): string {
  return compression === null ? "" : SUFFIXES[compression][0];
}

/** Returns whether a name ends in the suffix of one of the codecs. */
export function isCompressed(name: string): boolean {
  return COMPRESSIONS.some((codec) => name.endsWith(SUFFIXES[codec][0]));
}

/**
 * Parses an integer as Airflow's configuration does: Python's `int()`, else `float()` without a fraction. So ` 10 `,
 * `1_000`, `1e3`, `10.0` and the digits of every script count. A value that is too large becomes the largest exact
 * number.
 */
export function pythonInt(text: string): number | undefined {
  const plain = asciiDigits(text).trim();
  const number = /^[+-]?(?:\d(?:_?\d)*(?:\.(?:\d(?:_?\d)*)?)?|\.\d(?:_?\d)*)(?:[eE][+-]?\d(?:_?\d)*)?$/;
  if (!number.test(plain)) return undefined;
  const value = Number(plain.replaceAll("_", ""));
  const int = Number.isInteger(value) || (!Number.isFinite(value) && !/[.eE]/.test(plain));
  if (!int) return undefined;
  return Math.min(Math.max(value, -1), Number.MAX_SAFE_INTEGER);
}

function asciiDigits(text: string): string {
  return text.replace(/\p{Nd}/gu, (digit) => String(digitValue(digit.codePointAt(0)!)));
}

/** Unicode keeps the ten digits of a script together, so the digit's value is its offset in that run. */
function digitValue(point: number): number {
  let start = point;
  while (/\p{Nd}/u.test(String.fromCodePoint(start - 1))) start--;
  return (point - start) % 10;
}
