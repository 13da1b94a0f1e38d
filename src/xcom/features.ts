/**
 * Options that most backends do not use. The code behind each is a separate part, which a small bundle contains only if
 * it names it. The backend refuses an option whose part is missing.
 */
import type { Codecs } from "../codecs/codec.js";
import type { StoragePath } from "../path.js";
import type { Body, ByteStream } from "../streams.js";
import type { Encoding } from "./encoding/encoding.js";
import type { FastReading } from "./encoding/json-read.js";
import type { Measured } from "./encoding/json-write.js";
import type { ExpectedOwner, KeyLayout } from "./keys/layout.js";
import type { Serializer } from "./serializer.js";
import type { XComCompression } from "./settings.js";

/** `{ "xcom_s3://": "s3://my_conn@my_bucket" }`: the text after the prefix is a path below the base. */
export type ReadAliases = Readonly<Record<string, StoragePath | string>>;

/** The base path and the layouts of a backend's own objects. */
export interface BaseAndLayouts {
  base: StoragePath;
  layouts: readonly KeyLayout[];
}

/** A reader for the rows of other XCom classes. */
export interface AliasReader {
  /** Returns whether a text starts like such a row and resolves to a path. */
  matches(stored: string): boolean;
  /**
   * Returns the object that a row refers to; undefined for any other text. Throws PermissionDenied if it belongs to
   * another owner.
   */
  resolve(stored: string, rules: BaseAndLayouts, owner: ExpectedOwner | undefined): StoragePath | undefined;
  /** Throws InvalidArgument for a text that readers would take for such a row. */
  checkText(text: string): void;
}

/** Which types may be stored and loaded. */
export interface TypeLimits {
  /** Throws for a serializer whose type is not allowed: InvalidArgument on store, PermissionDenied on load. */
  checkSerializer(name: string, code: "InvalidArgument" | "PermissionDenied"): void;
  /** Returns the encoding without the classes that are not allowed. */
  restricted(encoding: Encoding): Encoding;
}

/** Chooses the serializer of a value. */
export interface Serializers {
  /**
   * Returns the serializer that stores a value; undefined for JSON. Throws InvalidArgument if the value must not be
   * stored, or if the threshold allows only rows.
   */
  forValue(value: unknown): Serializer | undefined;
  /**
   * Returns the serializer of an object by the suffix of its name; undefined for JSON. Throws Unsupported and names the
   * missing part.
   */
  forSuffix(suffix: string): Serializer | undefined;
}

/** Stored bytes and their digest. */
export interface Digested {
  /** SHA-256 in lower-case hexadecimal. */
  digest: string;
  body: Body;
}

/** @internal */
export interface FastJson extends FastReading {
  /** Measures a value that `JSON.stringify` can write; returns undefined for any other. */
  plan(
    value: unknown,
    encoding: Encoding,
    signal: AbortSignal | undefined,
    enough: number,
  ): Promise<Measured | undefined>;
}

/** The optional parts; each implements the option of its name, and `json` is faster for plain values. */
export interface XComFeatures {
  keyTemplate?: (template: string) => KeyLayout;
  readAliases?: (aliases: ReadAliases, base: StoragePath) => AliasReader;
  serializers?: (given: readonly Serializer[], limits: TypeLimits | undefined, threshold: number) => Serializers;
  allowedTypes?: (patterns: readonly string[] | string) => TypeLimits;
  /** Throws InvalidArgument for options of the backend that `digest` contradicts. */
  checkDigest?: (options: { threshold?: number | undefined; keyTemplate?: string | undefined }) => void;
  digest?: (
    codecs: Codecs,
    body: () => string | ByteStream,
    compression: XComCompression | null,
    signal: AbortSignal | undefined,
  ) => Promise<Digested>;
  /** @internal */
  json?: FastJson;
}
