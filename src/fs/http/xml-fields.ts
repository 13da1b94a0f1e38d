/**
 * Reads single fields of small XML documents: the code of an error, the id of an upload. A document of rows needs the
 * parser behind xml.ts; bundles that only write and read single objects do without it.
 */
import { failure, type StorageError } from "../../errors.js";

/** Texts by name or, in xml.ts, by path. */
export type Fields = Readonly<Record<string, string | undefined>>;

/** The byte order mark of Azure, the declaration, and the root's name. */
const ROOT = /^\ufeff?\s*(?:<\?xml[^<>]*\?>\s*)?<([A-Za-z_:][\w:.-]*)(?:\s[^<>]*?)?(\/?)>/;
const LEAF = /<([A-Za-z_:][\w:.-]*)(?:\s[^<>]*)?>([^<]*)<\/\1\s*>/g;

/**
 * Returns the texts of the leaf elements by name; the last one of repeated names.
 *
 * Throws `Corrupt` if the document does not end with its root, or if the root is not `root`. Services that imitate
 * another one misspell roots, so without `root` any will do but `Error`.
 */
export function leafFields(text: string, root?: string): Fields {
  const [start = "", name, closed] = ROOT.exec(text) ?? [];
  const rest = text.slice(start.length).trimEnd();
  const expected = root === undefined ? name !== "Error" : name === root;
  const whole = closed ? rest === "" : rest.endsWith(`</${name}>`);
  if (name === undefined || !expected || !whole) throw notIt(root);
  const found: Record<string, string> = Object.create(null);
  try {
    for (const [, leaf, value] of rest.matchAll(LEAF)) found[leaf!] = unescaped(value!);
  } catch {
    throw notIt(root);
  }
  return found;
}

function notIt(root: string | undefined): StorageError {
  return failure("Corrupt", `the response is not the XML document ${root ?? "that was asked for"}`);
}

/** Returns the fields of a document that may be another one, or empty. */
export function leafFieldsIf(text: string, root: string): Fields {
  try {
    return leafFields(text, root);
  } catch {
    return {};
  }
}

const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const REFERENCE = /&(?:(amp|lt|gt|quot|apos);|#(\d+);|#x([\da-fA-F]+);)?/g;

/** Returns markup as text. Throws for a reference that XML does not define. */
export function unescaped(markup: string): string {
  return markup.includes("&") ? markup.replace(REFERENCE, referred) : markup;
}

function referred(_reference: string, name: string | undefined, decimal: string | undefined, hex: string): string {
  if (name) return NAMED[name]!;
  const text = String.fromCodePoint(Number(decimal ?? `0x${hex}`));
  if (!isWritable(text)) throw new SyntaxError("malformed XML");
  return text;
}

/** Returns whether XML 1.0 can represent all characters of `text`. */
export function isWritable(text: string): boolean {
  return !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/u.test(text);
}

/**
 * Escapes `text` as the content of an element. Line breaks, including those of XML 1.1, become references: a parser
 * would change them.
 */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"'\t\r\n\u0085\u2028]/g, (character) => `&#${character.charCodeAt(0)};`);
}
