/**
 * Options that most backends do without. What reads one is a part of its own, which a small bundle holds only when it
 * is named; an option without its part is refused.
 */
import type { Codecs } from "../codecs/codec.js";
import type { StoragePath } from "../path.js";
import type { Body, ByteStream } from "../streams.js";
import type { Encoding } from "./encoding/encoding.js";
import type { KeyLayout, Owner } from "./keys/layout.js";
import type { Serializer } from "./serializer.js";
import type { XComCompression } from "./settings.js";

/** `{ "xcom_s3://": "s3://my_conn@my_bucket" }`: what stands after the prefix is a path below the base. */
export type ReadAliases = Readonly<Record<string, StoragePath | string>>;

/** Where a backend's own objects are. */
export interface BaseAndLayouts {
  base: StoragePath;
  layouts: readonly KeyLayout[];
}

/** What knows the rows of other XCom classes. */
export interface AliasReader {
  /** Whether a text begins as such a row does, and leads to a path. */
  matches(stored: string): boolean;
  /** The object that a row refers to; undefined for any other text. PermissionDenied when it is another owner's. */
  resolve(stored: string, rules: BaseAndLayouts, owner: Owner | undefined): StoragePath | undefined;
  /** Throws InvalidArgument for a text that would be read as such a row. */
  checkText(text: string): void;
}

/** Which types may be stored and loaded. */
export interface TypeLimits {
  /** Throws when a serializer's type may not: InvalidArgument on the way in, PermissionDenied on the way out. */
  checkSerializer(name: string, code: "InvalidArgument" | "PermissionDenied"): void;
  /** The encoding, less the classes that may not. */
  restricted(encoding: Encoding): Encoding;
}

/** Which serializer has a value. */
export interface Serializers {
  /** The one that stores a value; none for JSON. InvalidArgument when it must not, or when rows are all there is. */
  forValue(value: unknown): Serializer | undefined;
  /** The one of an object by the suffix of its name; none for JSON. Unsupported, saying what is missing. */
  forSuffix(suffix: string): Serializer | undefined;
}

/** Stored bytes and their digest. */
export interface Digested {
  /** SHA-256 in lower-case hexadecimal. */
  digest: string;
  body: Body;
}

/** Each reads the option of its name. */
export interface XComFeatures {
  keyTemplate?: (template: string) => KeyLayout;
  readAliases?: (aliases: ReadAliases, base: StoragePath) => AliasReader;
  serializers?: (given: readonly Serializer[], limits: TypeLimits | undefined, threshold: number) => Serializers;
  allowedTypes?: (patterns: readonly string[] | string) => TypeLimits;
  digest?: (
    codecs: Codecs,
    body: () => string | ByteStream,
    compression: XComCompression | null,
    signal: AbortSignal | undefined,
  ) => Promise<Digested>;
}
