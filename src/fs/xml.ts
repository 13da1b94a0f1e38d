/** XML as storage services speak it: small documents without attributes that matter, DTDs or mixed content. */
import { parseXml, XmlElement } from "#parse-xml";
import { failure } from "../errors.js";

const LONGEST = 16 * 1024 * 1024;

/** The root of a document; Corrupt when it is none, has a DTD, is over 16 MiB or has another name than `root`. */
export function parseRoot(text: string, root: string): XmlElement {
  const element = rootOf(text);
  if (element?.name !== root) throw failure("Corrupt", `the answer is not the XML document ${root}`);
  return element;
}

/** The root of what may be a document at all. */
export function rootOf(text: string): XmlElement | undefined {
  if (text.length > LONGEST || text.includes("<!DOCTYPE")) return undefined;
  try {
    return parseXml(text).root ?? undefined;
  } catch {
    return undefined;
  }
}

/** The elements directly in `parent`, in their order. */
export function* elements(parent: XmlElement): Generator<XmlElement> {
  for (const node of parent.children) if (node instanceof XmlElement) yield node;
}

/** The texts of the elements directly in `parent`, by name; of repeated names the last. */
export function fields(parent: XmlElement): Record<string, string | undefined> {
  const found: Record<string, string | undefined> = Object.create(null);
  for (const element of elements(parent)) found[element.name] = element.text;
  return found;
}

/** Whether XML 1.0 has a way to write all characters of `text`. */
export function isWritable(text: string): boolean {
  return !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text);
}

/** `text` as the content of an element. Line breaks are references, since a parser would change them. */
export function escaped(text: string): string {
  return text.replace(/[&<>"'\t\r\n]/g, (character) => `&#${character.charCodeAt(0)};`);
}
