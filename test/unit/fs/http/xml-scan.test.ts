/** Documents of tags and text alone do without the parser, and say what it would say. */
import fc from "fast-check";
import { beforeEach, expect, test, vi } from "vitest";
import { type Kinds, readXml } from "../../../../src/fs/http/xml.js";

/** The texts that the parser was given. */
const parsed = vi.hoisted(() => [] as string[]);
vi.mock("saxen", async (load) => {
  const { Parser } = await load<typeof import("saxen")>();
  function Recording() {
    const parser = new Parser();
    const { parse } = parser;
    return Object.assign(parser, {
      parse: (text: string) => {
        parsed.push(text);
        return parse(text);
      },
    });
  }
  return { Parser: Recording };
});
beforeEach(() => {
  parsed.length = 0;
});

const ROWS: Kinds<Record<string, string>> = Object.fromEntries(
  ["Row", "Rows/Row"].map((path) => [path, (fields) => ({ ...fields }) as Record<string, string>]),
);

/** What a document says; its code if it is refused. */
function read(text: string): object | string {
  try {
    const { rows, fields } = readXml(text, "Root", ROWS);
    return { rows, fields: { ...fields } };
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** A comment before the root leaves the whole document to the parser. */
function readByParser(text: string): object | string {
  const found = read(`<!-- -->${text}`);
  expect(parsed.at(-1)).toBe(`<!-- -->${text}`);
  return found;
}

const rowOf = (i: number) =>
  `<Contents><Key>a &amp; b/${i}</Key><LastModified>2026-11-21T09:30:00.000Z</LastModified><ETag>&#34;x&#34;</ETag>` +
  `<Size>${i}</Size><Owner><ID>1</ID></Owner></Contents>`;
const blobOf = (i: number) =>
  `<Blob><Name${i % 2 ? ' Encoded="true"' : ""}>a%01/${i}</Name><Properties><Content-Length>1</Content-Length>` +
  `<Content-Encoding /><Etag>0x8</Etag></Properties><OrMetadata/></Blob>`;
const many = (row: (i: number) => string) => Array.from({ length: 1000 }, (_, i) => row(i)).join("");

test.each([
  [
    "Amazon's",
    `<?xml version="1.0" encoding="UTF-8"?>\n<Root xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${many(rowOf)}</Root>`,
    "Contents",
  ],
  [
    "Azure's",
    `\ufeff<?xml version="1.0" encoding="utf-8"?><Root ServiceEndpoint="http://a/" ContainerName='c'><Blobs>${many(blobOf)}</Blobs><NextMarker /></Root>\r\n`,
    "Blobs/Blob",
  ],
])("of a listing like %s, the parser sees each start tag once", (_, document, kind) => {
  const { rows } = readXml(document, "Root", { [kind]: (row) => ({ ...row }) });
  expect(rows).toHaveLength(1000);
  expect(rows[999]).toEqual(
    kind === "Contents"
      ? { Key: "a & b/999", LastModified: "2026-11-21T09:30:00.000Z", ETag: '"x"', Size: "999", "Owner/ID": "1" }
      : {
          Name: "a%01/999",
          "Name@Encoded": "true",
          "Properties/Content-Length": "1",
          "Properties/Content-Encoding": "",
          "Properties/Etag": "0x8",
          OrMetadata: "",
        },
  );
  expect(parsed.length).toBeLessThan(20);
  expect(Math.max(...parsed.map(({ length }) => length))).toBeLessThan(100);
});

test.each([
  "<Root><Row><a>1</a></Row><b>2</b></Root>",
  "<Root><a><b>1</b></a><b><b>2</b></b><b>3</b></Root>",
  "<Root><a><b>1</b></a><a></a><b>2</b></Root>",
  "<Root><a><b>1</b></a><a></a><b>2</b></a></Root>",
  "<Root><a/><a></a><a >x</a ><b>1</b></Root>",
  "<Root><a>x]]&gt;</a></Root>",
  "<Root><a>]]></a></Root>",
  "<Root><a>x</b></Root>",
  "<Root><a>x</ab></Root>",
  "<Root><a>x</a</Root>",
  "<Root><a>x</a></Root>text",
  "<Root><a>x</a></Root><Root/>",
  "text<Root/>",
  "<Root a='>'><b c=\">\"/></Root>",
  "<Root><b c='<'/></Root>",
  "<Root><b c='1' c='2'/></Root>",
  "<Root><b c='1'c2='2'/></Root>",
  "<Root><b c='\t&#9;&quot;'/></Root>",
  "<Root><Row x='1'/><Row x='2'/><Rows><Row x='3'/></Rows></Root>",
  "<Root><a>&ampx;</a></Root>",
  "<Root><a>&quot;&amp;quot;&#34</a></Root>",
  "<Root><a>&amp;quot;&amp;#34;</a></Root>",
  "<Root><1/></Root>",
  "<Root></></Root>",
  "<Root><></Root>",
  "<Root><a / ></Root>",
  "<Root",
  "<Root>",
])("%s says what it says to the parser", (document) => {
  expect(read(document)).toEqual(readByParser(document));
});

test("quotes are read once, however they are written", () => {
  const { fields } = readXml("<Root><a>&quot;&#34;&amp;quot;&amp;#34;&#38;quot;&#x22;</a></Root>", "Root", {});
  expect(fields.a).toBe('""&quot;&#34;&quot;"');
});

test("elements of thousands of names are read, each by its own", () => {
  const names = Array.from({ length: 3000 }, (_, i) => `n${i}`);
  const found = read(`<Root>${names.map((name) => `<${name}>${name}</${name}>`).join("")}</Root>`);
  expect(found).toEqual({ rows: [], fields: Object.fromEntries(names.map((name) => [name, name])) });
});

test("documents of tags and text, whole or damaged, say what they say to the parser", () => {
  const token = fc.constantFrom(
    ...["<Row>", "</Row>", "<Rows>", "</Rows>", "<a>", "</a>", "<a/>", "<b x='1'>", "</b>", '<Row y="2">', "</Root>"],
    ...["x", " ", "\n", "&amp;", "&#34;", "&", ";", "<", ">", "/", "'", '"', "]]>", "<!-- -->", "<?p?>", "\r", "é"],
  );
  const element: fc.Arbitrary<string> = fc.letrec<{ one: string }>((tie) => ({
    one: fc
      .tuple(
        fc.constantFrom("Row", "Rows", "a", "b", "a.b"),
        fc.constantFrom("", " x='1'", ' x="1" y="&lt;"', " "),
        fc.oneof(
          { maxDepth: 4 },
          fc.constantFrom("", "1", " &quot;2&quot; ", "\n"),
          fc.array(tie("one"), { maxLength: 4 }).map((all) => all.join("\n")),
        ),
      )
      .map(([name, attributes, inner]) => `<${name}${attributes}>${inner}</${name}>`),
  })).one;
  const damage = fc.array(fc.tuple(fc.nat(999), fc.nat(3), token), { maxLength: 2 });
  fc.assert(
    fc.property(fc.array(element, { maxLength: 6 }), damage, (elements, damages) => {
      let text = `<Root>${elements.join("")}</Root>`;
      for (const [at, gone, put] of damages) {
        const start = Math.floor((at / 1000) * text.length);
        text = text.slice(0, start) + put + text.slice(start + gone);
      }
      expect(read(text)).toEqual(readByParser(text.replace(/\r\n?/g, "\n")));
    }),
    { numRuns: 2000 },
  );
});
