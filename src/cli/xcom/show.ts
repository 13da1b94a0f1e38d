/** Resolves a reference for a person. */
import { codecs } from "../../codecs/index.js";
import { invalid } from "../../errors.js";
import type { ObjectInfo } from "../../fs/driver/index.js";
import type { StoragePath } from "../../path.js";
import { jsonEncoding, jsonText } from "../../xcom/index.js";
import type { Session } from "../command.js";
import { bytes, facts, moment, printable, put } from "../format.js";
import { type FilterOptions, filterOf } from "./list.js";
import { type FoundXCom, noRows, openRows, rowXComs } from "./rows.js";
import { configuredBase, referredPlace, type StoredLocation } from "./values.js";

/** Maximum characters of a preview. */
const PREVIEW = 300;
/** Bytes that always suffice for that many characters. */
const PREVIEW_BYTES = 4 * PREVIEW;
/** Decoded bytes after which counting the size of a compressed value stops. */
const MAX_COUNTED = 512 * 2 ** 20;

export interface ShowOptions extends FilterOptions {
  /** `true`: the database in the environment. */
  database?: string | true;
}

/** Shows the given references or, with `database`, the matching rows. */
export async function show(session: Session, references: string[], options: ShowOptions): Promise<void> {
  session.endsWithReader();
  for (const text of references) await explainXCom(session, session.path(text));
  if (options.database !== undefined) await showRows(session, options.database, options);
  else if (references.length === 0) throw invalid("name a reference, or a database and whose rows");
}

async function explainXCom(session: Session, path: StoragePath): Promise<void> {
  const place = referredPlace(path, configuredBase(session.env));
  const info = await session.storage.stat(place.path, { signal: session.signal });
  const value = await look(session, place, info);
  if (session.json) await session.say(asJson(place, info, value), "");
  else await facts(session.io.stdout, asFacts(place, info, value));
}

async function showRows(session: Session, database: string | true, options: ShowOptions): Promise<void> {
  const { rows, close } = await openRows(session, database);
  try {
    const source = rowXComs(rows, configuredBase(session.env));
    let count = 0;
    for await (const found of source.list(filterOf(options), session.signal)) {
      if (count++ > 0 && !session.json) await put(session.io.stdout, "\n");
      await (found.path ? explainXCom(session, found.path) : inRow(session, found));
    }
    if (count === 0) noRows();
  } finally {
    await close();
  }
}

/** Shows a value that is in its row. */
async function inRow(session: Session, { stored, mapIndex = -1, ...at }: FoundXCom): Promise<void> {
  const text = jsonText(stored, "row", jsonEncoding);
  const size = Buffer.byteLength(text);
  const preview = previewOf(Buffer.from(text).subarray(0, PREVIEW_BYTES), size);
  if (session.json) return session.say({ ...at, mapIndex, bytes: size, preview }, "");
  const rows: [string, string][] = [
    ["dag", at.dagId],
    ["run", at.runId],
    ["task", mapIndex < 0 ? at.taskId : `${at.taskId}[${mapIndex}]`],
    ["key", at.key ?? ""],
    ["stored", "in the row"],
    ["value", `${bytes(size)} of JSON`],
    ["preview", preview],
  ];
  await facts(
    session.io.stdout,
    rows.map(([name, value]) => [name, printable(value)]),
  );
}

interface Look {
  /** The size of the JSON text; undefined if it exceeds the counting limit. */
  size: number | undefined;
  preview: string;
}

/** Reads no more than necessary: the size of uncompressed objects is known. */
async function look(
  { storage, signal }: Session,
  { path, codec }: StoredLocation,
  { size }: ObjectInfo,
): Promise<Look> {
  if (!codec) {
    const start = await storage.bytes(path, { end: PREVIEW_BYTES, signal });
    return { size, preview: previewOf(start, size) };
  }
  let head = Buffer.alloc(0);
  let counted = 0;
  for await (const chunk of codecs.get(codec).decode(storage.read(path, { signal }), { signal })) {
    if (head.length < PREVIEW_BYTES) head = Buffer.concat([head, chunk.subarray(0, PREVIEW_BYTES - head.length)]);
    counted += chunk.length;
    if (counted > MAX_COUNTED) return { size: undefined, preview: previewOf(head, counted) };
  }
  return { size: counted, preview: previewOf(head, counted) };
}

function previewOf(start: Uint8Array, size: number): string {
  // Drops an incomplete character at the end.
  const text = new TextDecoder().decode(start, { stream: start.length < size });
  const short = [...text].slice(0, PREVIEW).join("");
  return Buffer.byteLength(short) < size ? `${short}…` : short;
}

const LAYOUTS = { ti: "task instance (Airflow 3.4)", uuid: "uuid (before Airflow 3.4)" };

function asFacts(place: StoredLocation, info: ObjectInfo, { size, preview }: Look): [string, string][] {
  const { path, base, dagId, runId, taskId, key, layout, instance, codec } = place;
  const ratio = codec && size && info.size > 0 ? `, ${ratioOf(info.size, size)}` : "";
  const rows: [string, string][] = [
    ["reference", String(path)],
    ["dag", dagId],
    ["run", runId],
    ["task", taskId],
    ["key", key ?? "not in this layout"],
    ["layout", `${LAYOUTS[layout]}, ${instance}`],
    ["base", String(base)],
    ["stored", `${bytes(info.size)}${codec ? `, ${codec}${ratio}` : ", not compressed"}`],
    ["value", `${size === undefined ? `more than ${bytes(MAX_COUNTED)}` : bytes(size)} of JSON`],
    ["modified", info.modified ? moment(info.modified) : "unknown"],
    ["preview", preview],
  ];
  return rows.map(([name, value]) => [name, printable(value)]);
}

/** Small values grow, by the header of the codec. */
function ratioOf(stored: number, size: number): string {
  const [factor, word] = stored > size ? [stored / size, "larger"] : [size / stored, "smaller"];
  return `${factor.toFixed(1)} times ${word}`;
}

function asJson(place: StoredLocation, info: ObjectInfo, { size, preview }: Look): object {
  const { path, ...rest } = place;
  const { size: storedBytes, modified, etag } = info;
  return { reference: path, ...rest, storedBytes, bytes: size, modified, etag, preview };
}
