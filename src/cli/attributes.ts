/** The options of `cp` and `sync` that set attributes. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { ObjectAttributes } from "../fs/driver/index.js";

export interface AttributeOptions
  extends Pick<
    ObjectAttributes,
    | "contentType"
    | "cacheControl"
    | "contentDisposition"
    | "contentEncoding"
    | "contentLanguage"
    | "storageClass"
    | "metadata"
  > {
  tag?: Record<string, string>;
  attributes?: "keep" | "drop";
}

export function addAttributes(command: Command): void {
  command
    .option("--content-type <type>", "of the copy; else that of FROM, or what the suffix tells")
    .option("--cache-control <text>", "for browsers and CDNs: max-age=3600")
    .option("--content-disposition <text>", 'the name to save under: attachment; filename="a.pdf"')
    .option("--content-encoding <text>", "how the bytes are already encoded: gzip")
    .option("--content-language <text>", "such as en")
    .option("--storage-class <class>", "the provider's name of a class or tier")
    .option("--metadata <name=value>", "user metadata, instead of all that FROM has; can be repeated", pair)
    .option("--tag <name=value>", "a tag, instead of all that FROM has; can be repeated", pair)
    .addOption(new Option("--attributes <which>", "what the copy takes over from FROM").choices(["keep", "drop"]));
}

function pair(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("It must be name=value.");
  const name = text.slice(0, at);
  if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`${name} is given twice.`);
  return { ...before, [name]: text.slice(at + 1) };
}

/** Returns the attributes that are set on the command line; undefined if there are none. */
export function attributesIn(options: AttributeOptions): ObjectAttributes | undefined {
  const { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage } = options;
  const { storageClass, metadata, tag: tags } = options;
  const all: ObjectAttributes = {
    contentType,
    cacheControl,
    contentDisposition,
    contentEncoding,
    contentLanguage,
    storageClass,
    metadata,
    tags,
  };
  return Object.values(all).some((value) => value !== undefined) ? all : undefined;
}
