/** Reads the XML of storage services: small documents without DTDs or mixed content. */
import { Parser } from "saxen";
import { failure, isStorageError } from "../../errors.js";
import { type Fields, isWritable, unescaped } from "./xml-fields.js";

export type { Fields } from "./xml-fields.js";

const SLASH = 0x2f;
const LONGEST = 16 * 1024 * 1024;
/** Maximum depth of elements, and length of a path of names: no service comes near. */
const DEEPEST = 16;
const LONGEST_PATH = 1000;
/** Maximum number of different start tags of a document that is only scanned; services have about 20. */
const MAX_TAGS = 1000;

/**
 * The name of the root, if it identifies a document. Services that imitate another one misspell it, so a document with
 * required fields is identified by these; an `Error` is never taken for another document.
 */
type Root = string | RegExp | undefined;

/** Converts each element at a path below the root. Its fields are relative to it. */
export type Kinds<Row> = Readonly<Record<string, (fields: Fields) => Row>>;

/** The rows of a document in order, and the fields outside of them. */
export interface Parsed<Row> {
  rows: Row[];
  fields: Fields;
}

/**
 * Reads a list document: one row per element of one of the kinds, at any depth. A field is the text of an element
 * without child elements by its path (`Name`, `Owner/ID`; empty for the row or the root itself), or an attribute, as
 * `Name@Encoded`.
 *
 * Throws Corrupt if it is not XML, has a DTD, more than 16 Mi characters, more than 16 levels or another root than
 * `root`.
 */
export function readXml<Row>(text: string, root: Root, kinds: Kinds<Row>): Parsed<Row> {
  try {
    demand(text.length <= LONGEST && isWritable(text));
    const lines = text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
    return new Reader(root, kinds).scan(lines) ?? new Reader(root, kinds).parse(lines);
  } catch (cause) {
    if (isStorageError(cause)) throw cause;
    const which = typeof root === "string" ? `the XML document ${root}` : "the XML document that was asked for";
    throw failure("Corrupt", `the answer is not ${which}`, { cause });
  }
}

/** The byte order mark of Azure, and the declaration, allowed only here. */
const START =
  /^\ufeff?(<\?xml\s+version\s*=\s*(["'])1\.\d+\2(?:\s+encoding\s*=\s*(["'])[A-Za-z][\w.-]*\3)?(?:\s+standalone\s*=\s*(["'])(?:yes|no)\4)?\s*\?>)?/;
const INSTRUCTION = /^<\?(?!xml[\s?])[a-z_:][\w:.-]*(?:\s|\?>$)/i;

/** What an object inherits from for names to be data. Slower without: V8 keeps an object without prototype as a hash table. */
const NOTHING: Record<string, string> = Object.create(null);

type Attributes = readonly (readonly [string, string])[];

/** What a start tag says. */
interface Element {
  name: string;
  attributes: Attributes;
  /** Whether the tag ends it as well. */
  isEmpty: boolean;
}

/** A start tag at its place, as it is written. */
interface Tag extends Element {
  readonly markup: string;
  readonly place: Place;
  /** The start tag that came next the last time: rows are alike. */
  next?: Tag;
}

/** Where an element is: what its path says, found out once for all elements with the same tag. */
class Place {
  /** The start tags that are known inside. */
  readonly tags = new Map<string, Tag>();
  readonly end: string;
  readonly #depth: number;
  readonly #path: string;
  /** The kind of row that elements here belong to. */
  readonly kind: string | undefined;
  readonly isRow: boolean;
  /** The name of their text. */
  readonly field: string;

  constructor(
    readonly above: Place | undefined,
    name: string,
    kinds: readonly string[],
  ) {
    this.end = `</${name}>`;
    this.#depth = above ? above.#depth + 1 : 1;
    const path = above?.above ? `${above.#path}/${name}` : above ? name : "";
    demand(this.#depth <= DEEPEST && path.length <= LONGEST_PATH);
    this.#path = path;
    this.kind = kinds.find((one) => path === one || path.startsWith(`${one}/`));
    this.isRow = this.kind === path;
    this.field = this.kind === undefined ? path : path.slice(this.kind.length + 1);
  }
}

/** Reads one document. */
class Reader<Row> {
  readonly #root: Root;
  readonly #kinds: Kinds<Row>;
  readonly #paths: readonly string[];
  readonly #rows: Row[] = [];
  readonly #fields = empty();
  #row = empty();
  #tags = 0;
  #at: Place | undefined;
  #text = "";
  #leaf = false;
  #ended = false;

  constructor(root: Root, kinds: Kinds<Row>) {
    this.#root = root;
    this.#kinds = kinds;
    this.#paths = Object.keys(kinds);
  }

  /**
   * Reads a document of tags and text alone, as services send them, in a third of the parser's time. Returns undefined
   * for all others, which are the parser's, as is each start tag that has not been seen before.
   */
  scan(text: string): Parsed<Row> | undefined {
    if (text.includes("]]>")) return undefined;
    let at = START.exec(text)![0].length;
    let last: Tag | undefined;
    for (let start = text.indexOf("<", at); start >= 0; start = text.indexOf("<", at)) {
      const place = this.#at;
      if (place) this.#text = textOf(text.slice(at, start));
      else if (text.slice(at, start).trim()) return undefined;
      if (text.charCodeAt(start + 1) === SLASH) {
        if (!place || !text.startsWith(place.end, start)) return undefined;
        at = start + place.end.length;
        this.#close();
        continue;
      }
      let tag = last?.next;
      if (!tag || tag.place.above !== place || !text.startsWith(tag.markup, start)) {
        tag = this.#tagOf(text.slice(start, text.indexOf(">", start) + 1));
        if (!tag) return undefined;
        if (last) last.next = tag;
      }
      last = tag;
      at = start + tag.markup.length;
      this.#open(tag.place, tag.attributes);
      if (tag.isEmpty) this.#close();
    }
    return this.#ended && !text.slice(at).trim() ? { rows: this.#rows, fields: this.#fields } : undefined;
  }

  #tagOf(markup: string): Tag | undefined {
    const known = this.#at?.tags.get(markup);
    if (known) return known;
    const element = elementOf(markup);
    if (!element || ++this.#tags > MAX_TAGS) return undefined;
    const tag = { ...element, markup, place: this.#placeOf(element.name) };
    this.#at?.tags.set(markup, tag);
    return tag;
  }

  /** Reads any document. */
  parse(text: string): Parsed<Row> {
    let [, declaration] = START.exec(text)!;
    new Parser()
      .on("openTag", (name, attributes) => this.#open(this.#placeOf(name), attributesOf(attributes())))
      .on("closeTag", () => this.#close())
      .on("text", (markup) => {
        demand(!markup.includes("]]>"));
        this.#add(textOf(markup));
      })
      .on("cdata", (text) => this.#add(text))
      .on("comment", (text) => demand(!`${text}-`.includes("--")))
      .on("question", (markup) => {
        demand(markup === declaration || INSTRUCTION.test(markup));
        declaration = undefined;
      })
      .on("attention", refuse)
      .on("warn", refuse)
      .parse(text);
    demand(this.#ended);
    return { rows: this.#rows, fields: this.#fields };
  }

  #placeOf(name: string): Place {
    demand(this.#at !== undefined || (isRoot(name, this.#root) && !this.#ended));
    return new Place(this.#at, name, this.#paths);
  }

  #open(place: Place, attributes: Attributes): void {
    this.#at = place;
    for (const [name, value] of attributes) this.#textsAt(place)[`${place.field}@${name}`] = value;
    this.#text = "";
    this.#leaf = true;
  }

  #textsAt({ kind }: Place): Record<string, string> {
    return kind === undefined ? this.#fields : this.#row;
  }

  #add(text: string): void {
    demand(this.#at !== undefined);
    this.#text += text;
  }

  #close(): void {
    const place = this.#at!;
    if (this.#leaf) this.#textsAt(place)[place.field] = this.#text;
    this.#at = place.above;
    this.#ended = this.#at === undefined;
    this.#leaf = false;
    this.#text = "";
    if (!place.isRow) return;
    this.#rows.push(this.#kinds[place.kind!]!(this.#row));
    this.#row = empty();
  }
}

function empty(): Record<string, string> {
  return Object.create(NOTHING);
}

/** Reads a start tag by itself. Returns undefined if it is none. */
function elementOf(markup: string): Element | undefined {
  const isEmpty = markup.endsWith("/>");
  let element: Element | undefined;
  if (!/^<[^<!?]+>$/.test(markup)) return undefined;
  try {
    new Parser()
      .on("openTag", (name, attributes) => {
        element = { name, attributes: attributesOf(attributes()), isEmpty };
      })
      .on("warn", refuse)
      .parse(isEmpty ? markup : `${markup.slice(0, -1)}/>`);
  } catch {
    return undefined;
  }
  return element;
}

function isRoot(name: string, root: Root): boolean {
  if (root === undefined) return name !== "Error";
  return typeof root === "string" ? name === root : root.test(name);
}

function refuse(): void {
  demand(false);
}

function demand(wellFormed: boolean): asserts wellFormed {
  if (!wellFormed) throw new SyntaxError("malformed XML");
}

/** Each etag has quotes, in one of these ways; to replace them first takes a quarter of the time. */
function textOf(markup: string): string {
  return markup.includes("&") ? unescaped(markup.replace(/&(?:quot|#34);/g, '"')) : markup;
}

function attributesOf(markup: Record<string, string>): Attributes {
  return Object.entries(markup).map(([name, value]) => [name, attributeOf(value)]);
}

function attributeOf(markup: string): string {
  demand(!markup.includes("<"));
  return unescaped(markup.replace(/[\t\n]/g, " "));
}
