/** Reads the XML of storage services: small documents without DTDs or mixed content. */
import { Parser } from "saxen";
import { failure, isStorageError } from "../../errors.js";
import { type Fields, isWritable, unescaped } from "./xml-fields.js";

export type { Fields } from "./xml-fields.js";

const LONGEST = 16 * 1024 * 1024;
/**
 * Maximum depth of elements, and length of a path of names: no service comes near, and each element builds its path
 * anew.
 */
const DEEPEST = 16;
const LONGEST_PATH = 1000;

/**
 * Receives each element at its end: its path below the root (`Name`, `Owner/ID`, the root's own is empty), and its
 * text, or undefined if it has child elements. An attribute comes first, as `Name@Encoded`.
 */
export type Visit = (path: string, text: string | undefined) => void;

/**
 * The name of the root, if it identifies a document. Services that imitate another one misspell it, so a document with
 * required fields is identified by these; an `Error` is never taken for another document.
 */
type Root = string | RegExp | undefined;

/**
 * Reads a document. Throws Corrupt if it is not XML, has a DTD, more than 16 Mi characters, more than 16 levels or
 * another root than `root`.
 */
function visit(text: string, root: Root, tell: Visit): void {
  try {
    new Reader(root, tell).read(text);
  } catch (cause) {
    if (isStorageError(cause)) throw cause;
    const which = typeof root === "string" ? `the XML document ${root}` : "the XML document that was asked for";
    throw failure("Corrupt", `the answer is not ${which}`, { cause });
  }
}

/** The byte order mark of Azure, and the declaration, allowed only here. */
const START =
  /^\ufeff?(?:<\?xml\s+version\s*=\s*(["'])1\.\d+\1(?:\s+encoding\s*=\s*(["'])[A-Za-z][\w.-]*\2)?(?:\s+standalone\s*=\s*(["'])(?:yes|no)\3)?\s*\?>)?/;
const INSTRUCTION = /^<\?(?!xml[\s?])[a-z_:][\w:.-]*(?:\s|\?>$)/i;

/** Reports what the parser finds, and refuses what it tolerates. */
class Reader {
  /** The path of each open element, from the root on. */
  readonly #paths: string[] = [];
  #text = "";
  #leaf = false;
  #ended = false;

  constructor(
    readonly root: Root,
    readonly tell: Visit,
  ) {}

  read(text: string): void {
    demand(text.length <= LONGEST && isWritable(text));
    new Parser()
      .on("openTag", (name, attributes) => this.#open(name, attributes()))
      .on("closeTag", () => this.#close())
      .on("text", (text) => this.#add(textOf(text)))
      .on("cdata", (text) => this.#add(text))
      .on("comment", (text) => demand(!`${text}-`.includes("--")))
      .on("question", (markup) => demand(INSTRUCTION.test(markup)))
      .on("attention", refuse)
      .on("warn", refuse)
      .parse(text.replace(START, "").replace(/\r\n?/g, "\n"));
    demand(this.#ended);
  }

  #open(name: string, attributes: Record<string, string>): void {
    const above = this.#paths.at(-1);
    demand(above !== undefined || (isRoot(name, this.root) && !this.#ended));
    const path = above ? `${above}/${name}` : above === undefined ? "" : name;
    demand(this.#paths.length < DEEPEST && path.length <= LONGEST_PATH);
    this.#paths.push(path);
    for (const of in attributes) this.tell(`${path}@${of}`, attributeOf(attributes[of]!));
    this.#text = "";
    this.#leaf = true;
  }

  #add(text: string): void {
    demand(this.#paths.length > 0);
    this.#text += text;
  }

  #close(): void {
    this.tell(this.#paths.pop()!, this.#leaf ? this.#text : undefined);
    this.#leaf = false;
    this.#text = "";
    this.#ended = this.#paths.length === 0;
  }
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

function textOf(markup: string): string {
  demand(!markup.includes("]]>"));
  return unescaped(markup);
}

function attributeOf(markup: string): string {
  demand(!markup.includes("<"));
  return unescaped(markup.replace(/[\t\n]/g, " "));
}

// XML lists.

/** Converts each element at a path below the root. Its fields are relative to it. */
export type Kinds<Row> = Readonly<Record<string, (fields: Fields) => Row>>;

/** The rows of a document in order, and the fields outside of them. */
export interface Parsed<Row> {
  rows: Row[];
  fields: Fields;
}

/** Reads a list document: one row per element of one of the kinds, at any depth. */
export function readXml<Row>(text: string, root: Root, kinds: Kinds<Row>): Parsed<Row> {
  const rows: Row[] = [];
  const fields = empty();
  const paths = Object.keys(kinds);
  let row = empty();
  visit(text, root, (path, value) => {
    const kind = paths.find((one) => path.startsWith(one) && isAt(path, one.length));
    const into = kind === undefined ? fields : row;
    if (value !== undefined) into[kind === undefined ? path : rest(path, kind.length)] = value;
    if (kind !== path) return;
    rows.push(kinds[kind]!(into));
    row = empty();
  });
  return { rows, fields };
}

function empty(): Record<string, string> {
  return Object.create(null);
}

/** Returns whether a segment of `path`, not only a part of one, ends at `length`. */
function isAt(path: string, length: number): boolean {
  return path.length === length || path[length] === "/" || path[length] === "@";
}

function rest(path: string, length: number): string {
  return path.slice(path[length] === "/" ? length + 1 : length);
}
