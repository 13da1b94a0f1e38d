/** Assigns values to retention classes. */

import { isStorageError } from "../../errors.js";
import { escaped } from "../allowed-types.js";
import { airflowEncoding, objectForm } from "../encoding/airflow.js";
import { measure } from "../encoding/json-write.js";
import { refuse } from "../errors.js";
import type { Owner } from "../keys/layout.js";

export type ValueType = "null" | "boolean" | "number" | "string" | "array" | "object" | "bytes";

const TYPES: readonly ValueType[] = ["null", "boolean", "number", "string", "array", "object", "bytes"];

/** A rule applies if all its conditions hold; the first that applies determines the class. */
export interface RetentionRule {
  /** Name of the class: 1 to 64 lower-case letters, digits and `-`. */
  class: string;
  /** Dag ids, `*` for any text and `?` for any character. */
  dag?: string | undefined;
  /** Keys, with the same wildcards. */
  key?: string | undefined;
  type?: ValueType | readonly ValueType[] | undefined;
  /** Minimum bytes: of the JSON as the threshold counts them, or of a byte array. A value without JSON has no size. */
  minSize?: number | undefined;
  /** Maximum bytes, counted in the same way. */
  maxSize?: number | undefined;
}

/** Returns the class of a value; undefined if no rule applies. */
export type Classify = (
  owner: Owner,
  key: string,
  value: unknown,
  signal: AbortSignal | undefined,
) => Promise<string | undefined>;

const CLASS = /^[a-z0-9][a-z0-9-]{0,63}$/;

function isClass(name: string): boolean {
  return CLASS.test(name);
}

export function checkClass(name: string): string {
  if (typeof name === "string" && isClass(name)) return name;
  return refuse(`a retention class is named by lower-case letters, digits and "-", not ${JSON.stringify(name)}`);
}

/** Compiles the rules into a function. Throws InvalidArgument for an invalid or unreachable rule. */
export function classifier(rules: readonly RetentionRule[]): Classify {
  if (!Array.isArray(rules)) refuse("rules must be a list, empty for a backend that only reads classes");
  rules.forEach(checkRule);
  const all = rules.findIndex((rule) => conditionsOf(rule).length === 0);
  if (all >= 0 && all < rules.length - 1)
    refuse(`rules[${all}] applies to everything, so that those after it are never reached; move it to the end`);
  const compiled = rules.map((rule) => ({ ...rule, applies: compile(rule) }));
  return async (owner, key, value, signal) => {
    const size = once(() => sizeOf(value, signal));
    for (const { applies, class: name } of compiled) if (await applies(owner, key, value, size)) return name;
    return undefined;
  };
}

function checkRule(rule: RetentionRule, i: number): void {
  const { class: name, type, minSize, maxSize } = rule;
  checkClass(name);
  for (const field of ["dag", "key"] as const)
    if (rule[field] !== undefined && (typeof rule[field] !== "string" || rule[field] === ""))
      refuse(`rules[${i}].${field} must be a pattern such as "tmp_*"`);
  for (const each of typesOf(type))
    if (!TYPES.includes(each)) refuse(`rules[${i}].type must be of ${TYPES.join(", ")}`);
  for (const size of [minSize, maxSize])
    if (size !== undefined && !(Number.isSafeInteger(size) && size >= 0)) refuse(`rules[${i}]: a size is whole bytes`);
  if ((minSize ?? 0) > (maxSize ?? Number.POSITIVE_INFINITY))
    refuse(`rules[${i}]: minSize is above maxSize, so that it never applies; exchange them`);
  const unknown = Object.keys(rule).find((field) => !FIELDS.includes(field));
  if (unknown) refuse(`unknown field ${unknown} of rules[${i}] (expected one of ${FIELDS.join(", ")})`);
}

const FIELDS = ["class", "dag", "key", "type", "minSize", "maxSize"];

function conditionsOf(rule: RetentionRule): unknown[] {
  return Object.entries(rule).filter(([name, value]) => name !== "class" && value !== undefined);
}

type Applies = (owner: Owner, key: string, value: unknown, size: () => Promise<number | undefined>) => Promise<boolean>;

function compile({ dag, key: keys, type, minSize, maxSize }: RetentionRule): Applies {
  const [isDag, isKey] = [wildcard(dag), wildcard(keys)];
  const types = typesOf(type);
  return async ({ dagId }, key, value, size) => {
    if (!isDag(dagId) || !isKey(key)) return false;
    if (types.length > 0 && !types.includes(typeOf(value))) return false;
    if (minSize === undefined && maxSize === undefined) return true;
    const bytes = await size();
    return bytes !== undefined && bytes >= (minSize ?? 0) && bytes <= (maxSize ?? bytes);
  };
}

function wildcard(pattern: string | undefined): (text: string) => boolean {
  if (pattern === undefined) return () => true;
  const source = pattern.replace(/\*+|[\s\S]/gu, (token) => {
    if (token.startsWith("*")) return "[^]*";
    return token === "?" ? "[^]" : escaped(token);
  });
  const whole = new RegExp(`^${source}$`, "u");
  return (text) => whole.test(text);
}

function typesOf(type: RetentionRule["type"]): readonly ValueType[] {
  if (type === undefined) return [];
  return typeof type === "string" ? [type] : type;
}

function typeOf(value: unknown): ValueType {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  if (isBytes(value)) return "bytes";
  const type = typeof value;
  if (type === "string" || type === "boolean") return type;
  return type === "number" || type === "bigint" ? "number" : "object";
}

function isBytes(value: unknown): value is ArrayBufferView | ArrayBuffer {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
}

async function sizeOf(value: unknown, signal: AbortSignal | undefined): Promise<number | undefined> {
  return isBytes(value) ? value.byteLength : jsonSize(value, signal);
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= work();
    return result;
  };
}

// The size of a value, for routes and retention classes.

/** Returns the bytes of the value as Python's JSON; undefined if only a serializer can store it. */
export async function jsonSize(value: unknown, signal: AbortSignal | undefined): Promise<number | undefined> {
  try {
    return (await measure(value, objectForm(value), airflowEncoding, signal)).length;
  } catch (error) {
    if (isStorageError(error, "InvalidArgument")) return undefined;
    throw error;
  }
}

// The location of a retention class's objects: `retention=<class>` is the first segment below the base.

/** Never part of an Airflow Dag id, so that a class and a Dag cannot be confused. */
export const MARK = "retention=";

export function segmentOf(name: string): string {
  return `${MARK}${name}`;
}

/** Returns the class at the start of a path below the base. */
export function classIn(below: string): string | undefined {
  const [first = ""] = below.split("/", 1);
  const name = first.slice(MARK.length);
  return first.startsWith(MARK) && isClass(name) ? name : undefined;
}
