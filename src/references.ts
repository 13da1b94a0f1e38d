/** What sources of references and operations over objects agree upon, whatever the runtime. */

/** A reference, and where it was found. */
export interface FoundReference {
  /** The text that a row holds: the path of an object. */
  text: string;
  /** The row, or the table, file or line; for reports. */
  where: string;
  /**
   * Whether the text stands inside a value, as in an array: then it is no reference, but keeps what it names from being
   * swept. @default false
   */
  isInside?: boolean | undefined;
  /** Bytes of the value before it was compressed, if the reference states them. */
  plainSize?: number | undefined;
}

/** Something that holds references: rows, a file, another runtime's tables. */
export interface ReferenceSource {
  /** For reports; without a password. */
  readonly name: string;
  /** Yields every text that may be a reference. Throws if any could be missing. */
  references(options?: { signal?: AbortSignal | undefined }): AsyncIterable<FoundReference>;
}

/** Yields each text that is not blank, trimmed, with its place: `name` and its number, from 1. */
export async function* textsWithPlaces(
  texts: Iterable<string> | AsyncIterable<string>,
  name: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<FoundReference, void, undefined> {
  let number = 0;
  for await (const line of texts) {
    signal?.throwIfAborted();
    number += 1;
    const text = line.trim();
    if (text !== "") yield { text, where: `${name}:${number}` };
  }
}

/** What the name of an object says about its bytes. */
export interface NamedObject {
  /** SHA-256 in lower-case hex. */
  sha256?: string | undefined;
  /** Whether the digest is that of the bytes as stored, or as decoded by the codec of the name. */
  of?: "stored" | "decoded" | undefined;
  /** Whether the decoded bytes are JSON. */
  isJson?: boolean | undefined;
}

/** The names of an application's objects: nothing else is swept. */
export interface ObjectLayout {
  readonly name: string;
  /** Reads a key: below the base path, or whole where that is not known. Undefined for any other object. */
  parse(key: string): NamedObject | undefined;
  /**
   * Whether an object of such a name may be swept without a reference: names that objects of another program may have
   * stay. @default all
   */
  isSwept?(key: string): boolean;
  /**
   * The grace, in milliseconds, below which nothing is deleted: younger objects may get a reference without a write.
   */
  readonly minGraceMs?: number | undefined;
}
