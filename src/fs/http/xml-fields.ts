/**
 * The single fields of small XML documents: the code of an error, the id of an upload. A document of rows needs the parser
 * behind xml.ts; what only writes and reads single objects does without it.
 */
import { failure, type StorageError } from "../../errors.js";

/** Texts by name or, in xml.ts, by path. */
export type Fields = Readonly<Record<string, string | undefined>>;

/** The byte order mark of Azure, the declaration, and the name of the root. */
const ROOT = /^\ufeff?\s*(?:<\?xml[^<>]*\?>\s*)?<([A-Za-z_:][\w:.-]*)(?:\s[^<>]*?)?(\/?)>/;
const LEAF = /<([A-Za-z_:][\w:.-]*)(?:\s[^<>]*)?>([^<]*)<\/\1\s*>/g;

/**
 * Returns the texts of the elements that hold no others, by their names; of repeated ones the last.
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

/** Returns the fields of what may be another document, or none at all. */
export function leafFieldsIf(text: string, root: string): Fields {
  try {
    return leafFields(text, root);
  } catch {
    return {};
  }
}

const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const REFERENCE = /&(?:(amp|lt|gt|quot|apos);|#(\d+);|#x([\da-fA-F]+);)?/g;

/** Markup as text. Throws an error for a reference that XML does not have. */
export function unescaped(markup: string): string {
  return markup.includes("&") ? markup.replace(REFERENCE, referred) : markup;
}

function referred(_reference: string, name: string | undefined, decimal: string | undefined, hex: string): string {
  if (name) return NAMED[name]!;
  const text = String.fromCodePoint(Number(decimal ?? `0x${hex}`));
  if (!isWritable(text)) throw new SyntaxError("malformed XML");
  return text;
}

/** Whether XML 1.0 has a way to write all characters of `text`. */
export function isWritable(text: string): boolean {
  return !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/u.test(text);
}

/** `text` as the content of an element. Line breaks, those of XML 1.1 too, are references: a parser would change them. */
export function escaped(text: string): string {
  return text.replace(/[&<>"'\t\r\n\u0085\u2028]/g, (character) => `&#${character.charCodeAt(0)};`);
}
