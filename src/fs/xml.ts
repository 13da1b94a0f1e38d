/** XML as storage services speak it: small documents without DTDs or mixed content. */
import { Parser } from "saxen";
import { failure, isStorageError } from "../errors.js";

const LONGEST = 16 * 1024 * 1024;

/**
 * The texts of the elements that hold no others, by their path from here down: `Name`, `Owner/ID`. An attribute is
 * `Name@Encoded`. Of repeated ones it is the last.
 */
export type Fields = Readonly<Record<string, string | undefined>>;

/** What becomes of each element at a path below the root. Its fields count from itself. */
export type Kinds<Row> = Readonly<Record<string, (fields: Fields) => Row>>;

/** The rows of a document in their order, and the fields outside of them. */
export interface Parsed<Row> {
  rows: Row[];
  fields: Fields;
}

/** Corrupt when `text` is no document, has a DTD, is longer than 16 Mi characters or has another root than `root`. */
export function parsed<Row = never>(text: string, root: string, kinds: Kinds<Row> = {}): Parsed<Row> {
  try {
    return new Reader(root, kinds).read(text);
  } catch (cause) {
    if (isStorageError(cause)) throw cause;
    throw failure("Corrupt", `the answer is not the XML document ${root}`, { cause });
  }
}

/** The fields of what may be another document, or none at all. */
export function fieldsIf(text: string, root: string): Fields {
  try {
    return parsed(text, root).fields;
  } catch {
    return {};
  }
}

/** The byte order mark of Azure, and the declaration, which may be here only. */
const START =
  /^\ufeff?(?:<\?xml\s+version\s*=\s*(["'])1\.\d+\1(?:\s+encoding\s*=\s*(["'])[A-Za-z][\w.-]*\2)?(?:\s+standalone\s*=\s*(["'])(?:yes|no)\3)?\s*\?>)?/;
const INSTRUCTION = /^<\?(?!xml[\s?])[a-z_:][\w:.-]*(?:\s|\?>$)/i;

/** Makes rows and fields of what the parser tells, and refuses what the parser lets pass. */
class Reader<Row> {
  readonly #rows: Row[] = [];
  readonly #fields: Record<string, string> = Object.create(null);
  /** Where a text goes now: the fields of the row, or of the document. */
  #into = this.#fields;
  /** Of each open element, from the root on. */
  readonly #paths: string[] = [];
  /** How many elements the row is in. */
  #depth = -1;
  #make: ((fields: Fields) => Row) | undefined;
  #text = "";
  #leaf = false;
  #ended = false;

  constructor(
    readonly root: string,
    readonly kinds: Kinds<Row>,
  ) {}

  read(text: string): Parsed<Row> {
    demand(text.length <= LONGEST && isWritable(text));
    new Parser()
      .on("openTag", (name, attributes) => this.#open(name, attributes()))
      .on("closeTag", () => this.#close())
      .on("text", (text) => this.#add(textOf(text)))
      .on("cdata", (text) => this.#add(text))
      .on("comment", (text) => demand(!`${text}-`.includes("--")))
      .on("question", (markup) => demand(INSTRUCTION.test(markup)))
      .on("attention", () => demand(false))
      .on("warn", () => demand(false))
      .parse(text.replace(START, "").replace(/\r\n?/g, "\n"));
    demand(this.#ended);
    return { rows: this.#rows, fields: this.#fields };
  }

  #open(name: string, attributes: Record<string, string>): void {
    const above = this.#paths.at(-1);
    demand(above !== undefined || (name === this.root && !this.#ended));
    const path = this.#begun(above ? `${above}/${name}` : above === undefined ? "" : name);
    this.#paths.push(path);
    for (const of in attributes) this.#into[`${path}@${of}`] = attributeOf(attributes[of]!);
    this.#text = "";
    this.#leaf = true;
  }

  /** The path as it counts from here on. */
  #begun(path: string): string {
    if (this.#make || !Object.hasOwn(this.kinds, path)) return path;
    this.#make = this.kinds[path];
    this.#depth = this.#paths.length;
    this.#into = Object.create(null);
    return "";
  }

  #add(text: string): void {
    demand(this.#paths.length > 0);
    this.#text += text;
  }

  #close(): void {
    const path = this.#paths.pop()!;
    if (this.#leaf) this.#into[path] = this.#text;
    this.#leaf = false;
    this.#text = "";
    if (this.#paths.length === this.#depth) this.#end();
    this.#ended = this.#paths.length === 0;
  }

  #end(): void {
    this.#rows.push(this.#make!(this.#into));
    this.#into = this.#fields;
    this.#make = undefined;
    this.#depth = -1;
  }
}

function demand(wellFormed: boolean): asserts wellFormed {
  if (!wellFormed) throw new SyntaxError("malformed XML");
}

const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const REFERENCE = /&(?:(amp|lt|gt|quot|apos);|#(\d+);|#x([\da-fA-F]+);)?/g;

function textOf(markup: string): string {
  demand(!markup.includes("]]>"));
  return unescaped(markup);
}

function attributeOf(markup: string): string {
  demand(!markup.includes("<"));
  return unescaped(markup.replace(/[\t\n]/g, " "));
}

/** The parser's own way is wrong beyond U+FFFF, and leaves what it does not know. */
function unescaped(markup: string): string {
  return markup.includes("&") ? markup.replace(REFERENCE, referred) : markup;
}

function referred(_reference: string, name: string | undefined, decimal: string | undefined, hex: string): string {
  if (name) return NAMED[name]!;
  const text = String.fromCodePoint(Number(decimal ?? `0x${hex}`));
  demand(isWritable(text));
  return text;
}

/** Whether XML 1.0 has a way to write all characters of `text`. */
export function isWritable(text: string): boolean {
  return !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/u.test(text);
}

/** `text` as the content of an element. Line breaks are references, since a parser would change them. */
export function escaped(text: string): string {
  return text.replace(/[&<>"'\t\r\n]/g, (character) => `&#${character.charCodeAt(0)};`);
}
