/** Documents say what another parser reads in them, and whatever is not well formed is refused. */
import { parseXml, XmlElement } from "@rgrove/parse-xml";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { failure } from "../../../../src/errors.js";
import { type Kinds, readXml } from "../../../../src/fs/http/xml.js";
import { escapeXml, isWritable } from "../../../../src/fs/http/xml-fields.js";

/** A field of the model is its text; what is in an element, an array. */
type Model = { name: string; attributes: Record<string, string>; content: string | Model[] };
type Read = { rows: Record<string, string>[]; fields: Record<string, string> };

const KINDS: Kinds<Record<string, string>> = Object.fromEntries(
  ["Row", "Rows/Row"].map((path) => [path, (fields) => ({ ...fields }) as Record<string, string>]),
);

function read(text: string, root = "Root"): Read {
  const { rows, fields } = readXml(text, root, KINDS);
  return { rows, fields: { ...fields } as Record<string, string> };
}

/** What {@link read} should give for the element. */
function said(model: Model): Read {
  const found: Read = { rows: [], fields: {} };
  function visit(element: Model, path: string, into: Record<string, string>, inRow: boolean): void {
    const begins = !inRow && Object.hasOwn(KINDS, path);
    const [at, fields] = begins ? ["", {}] : [path, into];
    if (begins) found.rows.push(fields);
    for (const [name, value] of Object.entries(element.attributes)) fields[`${at}@${name}`] = value;
    if (typeof element.content === "string" || element.content.length === 0) fields[at] = String(element.content);
    else
      for (const child of element.content)
        visit(child, at ? `${at}/${child.name}` : child.name, fields, inRow || begins);
  }
  visit(model, "", found.fields, false);
  return found;
}

/** What the other parser finds in the document. */
function oracle(text: string): Read | undefined {
  try {
    const { root, children } = parseXml(text, { preserveDocumentType: true });
    return root && !children.some(({ type }) => type === "doctype") ? said(modelOf(root)) : undefined;
  } catch {
    return undefined;
  }
}

function modelOf(element: XmlElement): Model {
  const { name, attributes } = element;
  const inner = element.children.filter((child) => child instanceof XmlElement);
  return { name, attributes, content: inner.length > 0 ? inner.map(modelOf) : element.text };
}

function outcome(text: string): Read | string {
  try {
    return read(text);
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const legal = fc
  .oneof(
    fc.string({ unit: "binary", maxLength: 12 }),
    fc.constantFrom(
      "  a key of spaces ",
      " ",
      "\n",
      "\r\n",
      "]]>",
      "<!DOCTYPE x>",
      "&amp;",
      "&#65;",
      "😀",
      "--",
      "\ufeff",
    ),
  )
  .map((text) => text.replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "?"));
const names = fc.constantFrom("Row", "Rows", "Key", "ns:Size", "_a-1.b", "key", "proto", "constructor");
const attributes = fc.dictionary(fc.constantFrom("Encoded", "xmlns", "x:y"), legal, { maxKeys: 2 });
const { models } = fc.letrec<{ models: Model }>((tie) => ({
  models: fc.record({
    name: names,
    attributes,
    content: fc.oneof({ maxDepth: 4 }, legal, fc.array(tie("models"), { maxLength: 5 })),
  }),
}));
const roots = models.map((model) => ({ ...model, name: "Root" }));

/** Each of these writes a character in its own way, where it can. */
const NAMED: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };
const WAYS: ((character: string) => string)[] = [
  (c) => (/[&<>\r]/.test(c) ? `&#${c.codePointAt(0)};` : c),
  (c) => NAMED[c] ?? `&#x${c.codePointAt(0)!.toString(16)};`,
  (c) => `&#x${c.codePointAt(0)!.toString(16).toUpperCase().padStart(7, "0")};`,
  (c) => (c === "\r" ? "&#13;" : `<![CDATA[${c}]]>`),
  (c) => `${NAMED[c] ?? (c === "\r" ? "&#13;" : c)}<!-- - <b> & -->`,
  (c) => `${NAMED[c] ?? (c === "\r" ? "&#13;" : c)}<?p <b> & ?>`,
];
/** A way for each character, in turn. */
type Style = { ways: number[]; head: string; between: string; empty: boolean };
const styles: fc.Arbitrary<Style> = fc.record({
  ways: fc.array(fc.nat(WAYS.length - 1), { minLength: 1, maxLength: 8 }),
  head: fc.constantFrom(
    "",
    "\ufeff",
    '<?xml version="1.0" encoding="utf-8"?>\n',
    '\ufeff<?xml version="1.0"?><!-- x -->',
  ),
  between: fc.constantFrom("", "\n  ", "<!-- x -->", " <?p?> "),
  empty: fc.boolean(),
});

function encoded(model: Model, style: Style): string {
  let count = 0;
  const way = (most: number) => WAYS[style.ways[count++ % style.ways.length]! % most]!;
  const value = (text: string) => [...text].map((c) => (/["\s]/.test(c) ? WAYS[1]! : way(3))(c)).join("");
  function element({ name, attributes, content }: Model): string {
    const tag = Object.entries(attributes).reduce((tag, [key, text]) => `${tag} ${key}="${value(text)}"`, name);
    if (content.length === 0 && style.empty) return `<${tag}/>`;
    if (typeof content === "string") return `<${tag}>${[...content].map((c) => way(6)(c)).join("")}</${name}>`;
    if (content.length === 0) return `<${tag}></${name} >`;
    return `<${tag}>${style.between}${content.map(element).join(style.between)}${style.between}</${name}\n>`;
  }
  return style.head + element(model);
}

const LISTING = `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><IsTruncated>false</IsTruncated><Contents>\
<Key>a &amp; b</Key><LastModified>2026-11-21T09:30:00.000Z</LastModified><ETag>&quot;x&quot;</ETag><Size>1</Size><Owner>\
<ID>1</ID></Owner></Contents><Contents><Key>c</Key><Size>2</Size></Contents><CommonPrefixes><Prefix>d/</Prefix>\
</CommonPrefixes><!-- end --></ListBucketResult>`;

describe("a document", () => {
  it("is rows in their order, each with its fields by path, and the fields outside of them", () => {
    const kinds = { Contents: (row: object) => ({ ...row }), CommonPrefixes: (row: object) => ({ ...row }) };
    expect(readXml(LISTING, "ListBucketResult", kinds)).toEqual({
      rows: [
        { Key: "a & b", LastModified: "2026-11-21T09:30:00.000Z", ETag: '"x"', Size: "1", "Owner/ID": "1" },
        { Key: "c", Size: "2" },
        { Prefix: "d/" },
      ],
      fields: { "@xmlns": "http://s3.amazonaws.com/doc/2006-03-01/", Name: "b", IsTruncated: "false" },
    });
  });

  it("has the last of repeated fields, and no field that holds elements", () => {
    const { fields } = readXml("<r><a>1</a><b>x<c/>y</b><a> 2 </a></r>", "r", {});
    expect({ ...fields }).toEqual({ a: " 2 ", "b/c": "" });
  });

  it("keeps hostile names as data", () => {
    const text = "<r><__proto__>x</__proto__><constructor><Row>y</Row></constructor></r>";
    expect(Object.keys(readXml(text, "r", {}).fields)).toEqual(["__proto__", "constructor/Row"]);
    expect(Object.keys(readXml("<r/>", "r", {}).fields)).toEqual([""]);
  });

  it.each([
    "",
    "text",
    "<other/>",
    "<r>",
    "<r/><r/>",
    "<r/>text",
    "text<r/>",
    "<r/>&amp;",
    "<r/><![CDATA[x]]>",
    "<!-- only -->",
    "<r><a></r></a>",
    "<r></R>",
    "<r>&x;</r>",
    "<r>&AMP;</r>",
    "<r>a & b</r>",
    "<r>&amp</r>",
    "<r>&#0;</r>",
    "<r>&#xD83D;&#xDE00;</r>",
    "<r>&#x110000;</r>",
    "<r>&#99999999999999999999;</r>",
    "<r>&#X41;</r>",
    "<r>\u0001</r>",
    "<r>]]></r>",
    "<r><![CDATA[x</r>",
    "<r><!-- -- --></r>",
    "<r><!--></r>",
    "<r><!-----></r>",
    "<r a=1/>",
    "<r a/>",
    '<r a="1" a="2"/>',
    '<r a="1"b="2"/>',
    '<r a="<"/>',
    '<r a="&x;"/>',
    '<r a="1/>',
    "<r><?></r>",
    '<r><?xml version="1.0"?></r>',
    ' <?xml version="1.0"?><r/>',
    '<?xml version="1.0"?><?xml version="1.0"?><r/>',
    "<?xml?><r/>",
    '<?xml version="2.0"?><r/>',
    '<?xml version="1.0"encoding="utf-8"?><r/>',
    '<?xml version="1.0" encoding=""?><r/>',
    '<?xml version="1.0" standalone="true"?><r/>',
    "<!DOCTYPE r><r/>",
    '<!DOCTYPE r [<!ENTITY x "y">]><r>&x;</r>',
    "<!doctype r><r/>",
    "<r><!ELEMENT a></r>",
  ])("%s is Corrupt", (text) => {
    expect(() => readXml(text, "r", {})).toThrow(expect.objectContaining({ code: "Corrupt" }));
  });

  it("is Corrupt beyond 16 Mi characters", () => {
    const padding = " ".repeat(16 * 1024 * 1024 - "<r></r>".length);
    expect(readXml(`<r>${padding}</r>`, "r", {}).fields).toEqual({ "": padding });
    expect(() => readXml(`<r>${padding} </r>`, "r", {})).toThrow(expect.objectContaining({ code: "Corrupt" }));
  });

  it("is Corrupt wherever it ends early", () => {
    expect(readXml(LISTING, "ListBucketResult", {}).fields.Name).toBe("b");
    for (let end = 0; end < LISTING.length; end++) {
      const cut = () => readXml(LISTING.slice(0, end), "ListBucketResult", {});
      expect(cut, `after ${end} characters`).toThrow(expect.objectContaining({ code: "Corrupt" }));
    }
  });

  it("fails as a row of it does, which is Corrupt where the row does not say why", () => {
    const call = (error: Error) => () =>
      readXml("<r><Row/></r>", "r", {
        Row: () => {
          throw error;
        },
      });
    expect(call(failure("Corrupt", "the row lacks a field"))).toThrow("Corrupt (the row lacks a field)");
    const unnamed = new RangeError("no such row");
    expect(call(unnamed)).toThrow(expect.objectContaining({ code: "Corrupt", cause: unnamed }));
  });

  it("has line breaks as one line feed each, but for those that are references", () => {
    expect(readXml("<r>\r\na\rb\n&#13;&#xA;<![CDATA[\r\n]]></r>", "r", {}).fields).toEqual({ "": "\na\nb\n\r\n\n" });
  });

  it("says what was written, in whatever way, and what another parser reads", () => {
    fc.assert(
      fc.property(roots, styles, (model, style) => {
        const text = encoded(model, style);
        expect(read(text)).toEqual(said(model));
        expect(read(text)).toEqual(oracle(text));
      }),
      { numRuns: 500 },
    );
  });

  it("that is damaged is refused where another parser refuses it, else read the same or refused", () => {
    const tokens = fc.constantFrom(
      ...["<", ">", "&", ";", "/", "'", '"', "=", " ", "!", "?", "-", "]", "[", "x", "<a/>", "<a>", "</a>", "</", "/>"],
      ...[
        "<!--",
        "-->",
        "--",
        "<![CDATA[",
        "]]>",
        "<?p?>",
        "<?",
        "?>",
        '<?xml version="1.0"?>',
        "<!DOCTYPE a>",
        "&#0;",
      ],
      ...[
        "&#1;",
        "&#xD800;",
        "&lt;",
        "&lT;",
        "&nbsp;",
        "\0",
        "\r\n",
        "\t",
        "\uffff",
        "a='1'",
        " a='1' a='1'",
        "<Root/>",
      ],
    );
    const damage = fc.record({
      at: fc.integer({ min: 0, max: 999 }),
      gone: fc.nat(6),
      token: fc.option(tokens),
    });
    fc.assert(
      fc.property(roots, styles, fc.array(damage, { minLength: 1, maxLength: 3 }), (model, style, damages) => {
        let text = encoded(model, style);
        for (const { at, gone, token } of damages) {
          const start = Math.floor((at / 1000) * text.length);
          text = text.slice(0, start) + (token ?? "") + text.slice(start + gone);
        }
        const [ours, theirs] = [outcome(text), oracle(text)];
        if (theirs) expect([theirs, "Corrupt"]).toContainEqual(ours);
        // Outside of the root, white space of all alphabets is let pass.
        else if (!oracle(text.replace(/[^\S \t\r\n]/g, " "))) expect(ours).toBe("Corrupt");
      }),
      { numRuns: 2000 },
    );
  });
});

describe("text", () => {
  it("D03: what is written is what is read, for all text that XML can write", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" }), fc.constant("\r\n\t<&>\"'")),
        (text) => {
          fc.pre(isWritable(text));
          expect(readXml(`<r>${escapeXml(text)}</r>`, "r", {}).fields).toEqual({ "": text });
        },
      ),
    );
  });

  it("that XML has no way to write is told", () => {
    for (const text of ["\u0001", "a\u000b", "\ufffe", "\uffff", "\ud83d", "\ude00\ud83d"])
      expect(isWritable(text)).toBe(false);
    for (const text of ["", "\t\r\n", "é", "😀", "\ufffd", "\u007f\u0085"]) expect(isWritable(text)).toBe(true);
  });
});
