/** XML that lists things. */
import { type Fields, type Root, visit } from "./xml.js";

/** What becomes of each element at a path below the root. Its fields count from itself. */
export type Kinds<Row> = Readonly<Record<string, (fields: Fields) => Row>>;

/** The rows of a document in their order, and the fields outside of them. */
export interface Parsed<Row> {
  rows: Row[];
  fields: Fields;
}

/** As `fields` of xml.ts, with a row for each element of one of the kinds, as deep as it may be inside another. */
export function parsed<Row>(text: string, root: Root, kinds: Kinds<Row>): Parsed<Row> {
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

/** Whether a segment of `path`, and not only a part of one, ends at `length`. */
function isAt(path: string, length: number): boolean {
  return path.length === length || path[length] === "/" || path[length] === "@";
}

function rest(path: string, length: number): string {
  return path.slice(path[length] === "/" ? length + 1 : length);
}
