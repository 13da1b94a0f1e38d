/** Checks of the attributes of objects that need no request, and changes of them in place. */
import { checkOptions, failure, invalid, type OptionNames } from "../errors.js";
import type {
  AttributeName,
  Driver,
  ObjectAttributes,
  ObjectInfo,
  ResponseHeaders,
  WriteResult,
} from "./driver/driver.js";
import { EncryptedDrivers } from "./encryption.js";
import { Operation } from "./operation.js";
import {
  type CopyOptions,
  checkConditions,
  checkHeader,
  checkMetadata,
  checkNoDirectory,
  type PathLike,
  SET_ATTRIBUTES,
  type SetAttributesOptions,
  STAT,
  type StatOptions,
  type UpdateOptions,
  WRITE,
  type WriteOptions,
} from "./options.js";
import type { DriverRegistry } from "./registry.js";

export const ATTRIBUTES: OptionNames<ObjectAttributes> = {
  contentType: true,
  cacheControl: true,
  contentDisposition: true,
  contentEncoding: true,
  contentLanguage: true,
  metadata: true,
  storageClass: true,
  tags: true,
};
export const STAT_WITH_TAGS: OptionNames<StatOptions> = { ...STAT, tags: true, customerKey: true };
export const WRITE_WITH_ATTRIBUTES: OptionNames<WriteOptions> = {
  ...WRITE,
  ...ATTRIBUTES,
  encryption: true,
  checksum: true,
};
const { ifAbsent: _, ifMatch: __, checksum: ___, ...UNCONDITIONAL } = WRITE_WITH_ATTRIBUTES;
export const UPDATE: OptionNames<UpdateOptions> = {
  ...UNCONDITIONAL,
  attempts: true,
  maxDecodedBytes: true,
};

const NAMES = Object.keys(ATTRIBUTES) as AttributeName[];
/** The attributes that {@link Storage} adds to those that every write has. */
const MORE = NAMES.filter((name) => name !== "contentType" && name !== "metadata");

/** Changes of attributes: `null` removes one, and undefined leaves it. */
export type AttributeChanges = { [Name in AttributeName]?: ObjectAttributes[Name] | null };

const MAX_TAGS = 10;
const MAX_TAG_NAME = 128;
const MAX_TAG_VALUE = 256;
/** The characters that S3 and Azure both take; S3 also takes `@`. */
const TAG = /^[\p{L}\p{N} +\-=._:/@]*$/u;

/** Returns those attributes in `options` that a write does not check by itself. */
export function checkMore(options: ObjectAttributes, driver: Driver): ObjectAttributes | undefined {
  const { contentType, metadata } = options;
  if (contentType !== undefined) checked("contentType", options);
  if (metadata !== undefined) checkPlain("metadata", metadata);
  return MORE.some((name) => options[name] !== undefined) ? checkAttributes(options, driver, MORE) : undefined;
}

/** Returns the attributes that are set in `options`. Throws Unsupported for those that this driver's objects cannot carry. */
export function checkAttributes(
  options: ObjectAttributes,
  { attributes }: Driver,
  names: readonly AttributeName[] = NAMES,
): ObjectAttributes {
  const given: ObjectAttributes = {};
  for (const name of names) {
    if (options[name] === undefined) continue;
    if (!attributes.includes(name)) throw notCarriedError(name);
    Object.assign(given, { [name]: checked(name, options) });
  }
  return given;
}

function notCarriedError(name: AttributeName): Error {
  return failure("Unsupported", `objects of this provider have no ${name}`);
}

function checked(name: AttributeName, options: ObjectAttributes): ObjectAttributes[AttributeName] {
  if (name === "metadata") {
    checkPlain(name, options.metadata);
    return checkMetadata(options.metadata);
  }
  if (name === "tags") return checkTags(options.tags!);
  const text = options[name]!;
  if (text === "") throw invalid(`${name} is empty: leave it out, or remove it from an object with null`);
  checkHeader(name, text);
  if (/[^ -~]/.test(text)) throw invalid(`${name} has a character outside ASCII${ENCODED[name] ?? ""}`);
  return text;
}

const ENCODED: Partial<Record<AttributeName, string>> = {
  contentDisposition: "; encode a file name as filename*=UTF-8''… (RFC 6266)",
};

/** A Map, Headers or URLSearchParams has no properties of its own, and would count as empty. */
function checkPlain(name: string, value: unknown): void {
  const prototype: unknown = typeof value === "object" && value !== null ? Object.getPrototypeOf(value) : undefined;
  if (prototype !== null && (prototype === undefined || Object.getPrototypeOf(prototype) !== null))
    throw invalid(`${name} must be an object of texts, such as { a: "1" }`);
}

function checkTags(tags: Record<string, string>): Record<string, string> {
  checkPlain("tags", tags);
  const pairs = Object.entries(tags);
  if (pairs.length > MAX_TAGS) throw invalid(`${pairs.length} tags, at most ${MAX_TAGS} are allowed`);
  for (const [name, value] of pairs) {
    checkHeader(`tag ${name}`, value);
    if (name === "" || name.length > MAX_TAG_NAME) throw invalid(`a tag's name has 1 to ${MAX_TAG_NAME} characters`);
    if (value.length > MAX_TAG_VALUE) throw invalid(`tag ${name}: a value has at most ${MAX_TAG_VALUE} characters`);
    if (!TAG.test(name) || !TAG.test(value))
      throw invalid(`tag ${name}: letters, digits, spaces and + - = . _ : / @ are allowed`);
  }
  return { ...tags };
}

const RESPONSE: OptionNames<ResponseHeaders> = {
  contentType: true,
  cacheControl: true,
  contentDisposition: true,
  contentEncoding: true,
  contentLanguage: true,
};

/** Returns the headers that are set. */
export function checkResponseHeaders(headers: ResponseHeaders): ResponseHeaders {
  checkOptions("responseHeaders", headers, RESPONSE);
  const set = NAMES.filter((name) => headers[name as keyof ResponseHeaders] !== undefined);
  return Object.fromEntries(set.map((name) => [name, checked(name, headers)]));
}

/** `checkOptions` of a verb that copies: the attributes of its copies are in `replace`. */
export function checkCopyOptions<T extends object>(verb: string, options: T, names: OptionNames<T>): void {
  const name = NAMES.find((attribute) => (options as ObjectAttributes | null)?.[attribute] !== undefined);
  if (name) throw invalid(`unknown option "${name}" of ${verb}; did you mean replace: { ${name} }?`);
  checkOptions(verb, options, names);
}

/**
 * Returns the attributes that a copy to this driver replaces; undefined if it only keeps those of its source. Files drop
 * all attributes unless they are asked to keep them.
 */
export function checkCopied(driver: Driver, { attributes, replace }: CopyOptions): ObjectAttributes | undefined {
  if (attributes !== undefined && attributes !== "keep" && attributes !== "drop")
    throw invalid(`attributes must be "keep" or "drop"`);
  if (replace === undefined) return attributes === "drop" ? {} : undefined;
  checkOptions("replace", replace, ATTRIBUTES);
  return checkAttributes(replace, driver);
}

/**
 * Returns the attributes of a copy from another provider. Throws Unsupported for one that the target cannot store; files
 * store none, which only `attributes: "keep"` turns into an error.
 */
export function copiedAttributes(
  info: ObjectInfo,
  driver: Driver,
  { attributes, replace }: CopyOptions,
): ObjectAttributes {
  if (attributes === "drop") return replace ?? {};
  if (attributes === undefined && driver.attributes.length === 0) return replace ?? {};
  const { contentType, ...kept } = attributesOf(info);
  const ownType = driver.attributes.includes("contentType") ? { contentType } : {};
  return { ...checkAttributes({ ...kept, ...ownType }, driver), ...checkAttributes(replace ?? {}, driver) };
}

/** Returns the attributes among the metadata of an object, without those of the place: its storage class. */
export function attributesOf(info: ObjectInfo): ObjectAttributes {
  const { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, metadata, tags } = info;
  // Other programs can have stored an empty text, which no write takes.
  return {
    contentType: contentType || undefined,
    cacheControl: cacheControl || undefined,
    contentDisposition: contentDisposition || undefined,
    contentEncoding: contentEncoding || undefined,
    contentLanguage: contentLanguage || undefined,
    metadata,
    tags,
  };
}

/** Returns the attributes of an object after `changes`, and the names of those that change. */
export function withChanges(info: ObjectInfo, changes: AttributeChanges, driver: Driver) {
  const kept: ObjectAttributes = { ...attributesOf(info), storageClass: info.storageClass };
  const changed = new Set(NAMES.filter((name) => changes[name] !== undefined));
  const set = Object.fromEntries(NAMES.map((name) => [name, changes[name] ?? undefined]));
  const removed = NAMES.filter((name) => changes[name] === null);
  for (const name of removed) {
    if (!driver.attributes.includes(name)) throw notCarriedError(name);
    kept[name] = undefined;
  }
  return { attributes: { ...kept, ...checkAttributes(set, driver) }, changed };
}

export function setAttributes(
  drivers: DriverRegistry,
  path: PathLike,
  changes: AttributeChanges,
  options: SetAttributesOptions,
): Promise<WriteResult> {
  const call = new Operation("setAttributes", "write", options);
  return call.run(async () => {
    checkOptions("setAttributes", options, SET_ATTRIBUTES);
    const { ifMatch, customerKey, signal } = options;
    const registry = customerKey === undefined ? drivers : new EncryptedDrivers(drivers, { customerKey });
    const { key, driver } = await call.object(registry, path);
    checkNoDirectory(path);
    checkOptions("setAttributes", changes as object, ATTRIBUTES as OptionNames<object>);
    checkConditions(false, ifMatch);
    const { changed } = withChanges({ key, size: 0 }, changes, driver);
    if (changed.size === 0) throw invalid("setAttributes needs at least one attribute that changes");
    const tags = driver.attributes.includes("tags") && !changed.has("tags");
    const was = await driver.stat(key, { version: undefined, tags, signal });
    if (was.etag === undefined) throw failure("Unsupported", "the server gives the object no etag");
    if (ifMatch !== undefined && was.etag !== ifMatch)
      throw failure("PreconditionFailed", `the etag is ${was.etag}, not ${ifMatch}`);
    const { attributes } = withChanges(was, changes, driver);
    return driver.setAttributes(key, attributes, { was, changed, conditional: ifMatch !== undefined, signal });
  });
}
