import { failure, invalid } from "../errors.js";
import { type Codec, type CodecName, SUFFIXES } from "./codec.js";

/** Look-up of codecs by name and by suffix. */
export interface Codecs {
  /** All names, as fsspec spells them. */
  readonly names: readonly CodecName[];
  /** The codec of that name. InvalidArgument, listing the names, when there is none. */
  get(name: string): Codec;
  /**
   * The codec that the last suffix stands for, whatever its case; undefined when it stands for none. Unsupported for a
   * codec that was left out: its bytes are not content.
   */
  forSuffix(path: string | { readonly name: string }): Codec | undefined;
}

/** These codecs and no other. */
export function codecsOf(list: readonly Codec[]): Codecs {
  const byName: ReadonlyMap<string, Codec> = new Map(list.map((codec) => [codec.name, codec]));
  const names = list.map(({ name }) => name);
  const get = (name: string) => {
    const codec = byName.get(name);
    if (!codec) throw invalid(`codec ${JSON.stringify(name)}: there is ${names.join(", ") || "none"}`);
    return codec;
  };
  return {
    names,
    get,
    forSuffix(path) {
      const name = nameFor(suffixOf(typeof path === "string" ? path : path.name));
      if (name === undefined || byName.has(name)) return name && byName.get(name);
      throw failure("Unsupported", `the suffix stands for ${name}, and there is ${names.join(", ") || "no codec"}`);
    },
  };
}

function nameFor(suffix: string): CodecName | undefined {
  const all = Object.entries(SUFFIXES) as [CodecName, readonly string[]][];
  return all.find(([, suffixes]) => suffixes.includes(suffix))?.[0];
}

/** The last suffix with its dot, lower-case; dots that begin the name begin none, as in Python's `splitext`. */
function suffixOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1).replace(/^\.+/, "");
  const dot = name.lastIndexOf(".");
  return dot < 0 ? "" : name.slice(dot).toLowerCase();
}
