/** The single fields of small documents are those that a parser finds, and a document that is cut short is none. */
import { parseXml, XmlElement } from "@rgrove/parse-xml";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { escapeXml, isWritable, leafFields, leafFieldsIf } from "../../../../src/fs/http/xml-fields.js";

const name = fc.stringMatching(/^[A-Za-z_][\w.-]{0,8}$/);
const text = fc.string({ unit: "grapheme" }).filter(isWritable);
const flat = fc.uniqueArray(fc.tuple(name, text), { selector: ([each]) => each, maxLength: 8 });
const refused = expect.objectContaining({ code: "Corrupt" });

function documentOf(root: string, fields: readonly (readonly [string, string])[]): string {
  const inner = fields.map(([each, value]) => `\n  <${each} a="1">${escapeXml(value)}</${each}>`).join("");
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inner}\n</${root}>\n`;
}

/** The texts of the leaves, as the other parser has them. */
function leavesOf(document: string): Record<string, string> {
  const found: Record<string, string> = {};
  const visit = (element: XmlElement) => {
    const inner = element.children.filter((child) => child instanceof XmlElement);
    if (inner.length === 0) found[element.name] = element.text;
    inner.forEach(visit);
  };
  const { root } = parseXml(document);
  root?.children.filter((child) => child instanceof XmlElement).forEach(visit);
  return found;
}

describe("leafFields", () => {
  test("gives the texts that a parser finds", () => {
    fc.assert(
      fc.property(flat, (fields) => {
        const document = documentOf("Result", fields);
        expect({ ...leafFields(document, "Result") }).toEqual(leavesOf(document));
      }),
    );
  });
  test("gives the leaves of nested elements, and of repeated ones the last", () => {
    const document = "<r><a>1</a><b>\n <c>2</c>\n</b><a>3</a><d></d><e/></r>";
    expect({ ...leafFields(document) }).toEqual({ a: "3", c: "2", d: "" });
  });
  test("refuses a document that is cut short, wherever that is", () => {
    const document = documentOf("Result", [["UploadId", "abc"]]).trimEnd();
    for (let end = 0; end < document.length; end++) expect(() => leafFields(document.slice(0, end))).toThrow(refused);
    expect(leafFields(document).UploadId).toBe("abc");
  });
  test.each([
    ["another root", documentOf("Other", [["a", "1"]])],
    ["a page", "<!doctype html><html><Result>1</Result></html>"],
    ["text", "Result"],
    ["nothing", ""],
    ["JSON", '{"Result": 1}'],
  ])("refuses %s", (_, document) => {
    expect(() => leafFields(document, "Result")).toThrow(refused);
    expect(leafFieldsIf(document, "Result")).toEqual({});
  });
  test("takes an error for nothing else", () => {
    const document = documentOf("Error", [["Code", "SlowDown"]]);
    expect(() => leafFields(document)).toThrow(refused);
    expect(leafFields(document, "Error").Code).toBe("SlowDown");
  });
  test("refuses references that XML does not have, and has no prototype", () => {
    for (const bad of ["&#0;", "&#xD800;", "&#1114112;", "&#x110000;"])
      expect(leafFieldsIf(`<Error><Code>${bad}</Code></Error>`, "Error")).toEqual({});
    expect(Object.keys(leafFields("<r><__proto__>1</__proto__></r>"))).toEqual(["__proto__"]);
  });
  test.each([
    ["open elements", "<a>".repeat(100_000)],
    ["attributes", `<r ${"a ".repeat(200_000)}`],
    ["elements that begin alike", `<r>${"<a ".repeat(100_000)}</r>`],
    ["references", `<r><a>${"&".repeat(300_000)}</a></r>`],
  ])("takes time by the length, not its square: %s", { timeout: 5_000 }, (_, document) => {
    leafFieldsIf(document, "r");
  });
});
