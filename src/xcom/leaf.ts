/** The last segment of an object's path: a stem, perhaps the digest of its bytes, and what it holds by two suffixes. */
import { isCompressed } from "./config.js";

/** How the name of an object ends. */
export interface Ending {
  /** SHA-256 of the stored bytes, in lower-case hexadecimal. */
  digest?: string | undefined;
  /** The serializer's suffix. */
  suffix: string;
  /** The codec's suffix, empty without one. */
  codec: string;
}

export interface Leaf extends Ending {
  stem: string;
}

/** Most bytes of a name that has a digest; file systems take 255. */
export const MAX_LEAF = 240;

const DIGEST = /~sha256-([0-9a-f]{64})$/;
const LAST_SUFFIX = /\.[a-z0-9][a-z0-9_@+-]{0,30}$/;

export function endingText({ digest, suffix, codec }: Ending): string {
  return `${digest === undefined ? "" : `~sha256-${digest}`}${suffix}${codec}`;
}

/** Whether a stem would be read as one with a digest. */
export function looksDigested(stem: string): boolean {
  return DIGEST.test(stem);
}

/** The parts of a name; `suffix` is empty when it has none. */
export function readLeaf(name: string): Leaf {
  const codec = isCompressed(name) ? name.slice(name.lastIndexOf(".")) : "";
  const bare = name.slice(0, name.length - codec.length);
  const suffix = isCompressed(bare) ? "" : (LAST_SUFFIX.exec(bare)?.[0] ?? "");
  const stem = bare.slice(0, bare.length - suffix.length);
  const digest = DIGEST.exec(stem)?.[1];
  return { stem: digest === undefined ? stem : stem.replace(DIGEST, ""), digest, suffix, codec };
}
