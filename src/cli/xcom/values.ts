/** Values stored and loaded by the XCom backend. */
import { XComObjectStorageBackend } from "../../backend.js";
import { invalid, isStorageError } from "../../errors.js";
import type { LayoutName } from "../../xcom/coordinate.js";
import { readJson } from "../../xcom/json/read.js";
import { jsonBytes } from "../../xcom/json/write.js";
import { airflowEncoding, objectForm } from "../../xcom/serde.js";
import { jsonLine, printable } from "../format.js";
import { input, put } from "../io.js";
import type { Session } from "../session.js";
import { type BackendOptions, settingsOf } from "./backend.js";
import { configuredBase, referredPlace } from "./place.js";

export interface PushOptions extends BackendOptions {
  dag: string;
  run: string;
  task: string;
  key: string;
  ti?: string;
  layout: LayoutName;
}

/** Stores the JSON of a file or of stdin, and prints what the row is to hold. */
export async function push(session: Session, file: string, options: PushOptions): Promise<void> {
  const { storage, signal } = session;
  const backend = new XComObjectStorageBackend({ ...settingsOf(session, options), storage, layout: options.layout });
  const { dag: dagId, run: runId, task: taskId, ti: tiId, key } = options;
  const value = await readJson(await input(session.io, file), airflowEncoding, signal).catch((error) => {
    if (!isStorageError(error, "Corrupt")) throw error;
    throw invalid(`what comes in is not JSON: ${error.detail}`).at("xcom push", file);
  });
  const stored = await backend.storeValue({ dagId, runId, taskId, tiId }, key, value, { signal });
  await jsonLine(session.io.stdout, session.json ? { did: "pushed", stored } : stored);
}

/** Prints the value that a reference leads to, as JSON. */
export async function pull(session: Session, references: string[]): Promise<void> {
  const { signal } = session;
  for (const text of references) {
    const { backend, reference } = referred(session, text);
    const value = await backend.loadValue(reference, { signal });
    await printedValue(session, value);
  }
}

/** Exactly as it would be stored, integers of any size and Airflow's envelopes included. */
async function printedValue({ io: { stdout }, signal }: Session, value: unknown): Promise<void> {
  for await (const chunk of jsonBytes(value, objectForm(value), airflowEncoding, signal)) await put(stdout, chunk);
  await put(stdout, "\n");
}

/** Deletes the objects that references lead to. */
export async function purge(session: Session, references: string[]): Promise<void> {
  const found = references.map((text) => referred(session, text));
  for (const { backend, reference } of found) {
    await backend.purge(reference, { signal: session.signal });
    await session.say({ did: "purged", reference }, printable(`purged ${reference}`));
  }
}

/** The reference and a backend whose base it is below: the settings' own, else the one that the reference itself tells. */
function referred(session: Session, text: string): { backend: XComObjectStorageBackend; reference: string } {
  const { storage, env } = session;
  const place = referredPlace(session.path(text), configuredBase(env));
  return { backend: new XComObjectStorageBackend({ storage, path: place.base }), reference: String(place.path) };
}
