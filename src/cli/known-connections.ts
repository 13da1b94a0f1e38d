/** Which connections a path without a connection id could have meant. */
import { connectionsFileOf, connectionsFromFile, idsOf } from "../connections/index.js";
import { isStorageError } from "../errors.js";
import { type Provider, providerOf, StoragePath } from "../path.js";

type Env = Readonly<Record<string, string | undefined>>;

/** A message names at most this many. */
const SHOWN = 5;
const WITH_CREDENTIALS: ReadonlySet<Provider | undefined> = new Set(["s3", "gs", "azure"]);

/** Names the connections of the file that fit a path without an id; undefined if there are none, or it needs none. */
export async function knownConnections(path: StoragePath, env: Env): Promise<string | undefined> {
  const file = connectionsFileOf(env);
  const { scheme, connectionId, bucket } = path;
  const provider = providerOf(scheme);
  if (file === undefined || connectionId !== undefined || !WITH_CREDENTIALS.has(provider)) return undefined;
  const { settingsOf } = await import("./doctor/settings.js");
  const source = connectionsFromFile(file);
  const found: string[] = [];
  for (const id of await idsOf([source])) {
    try {
      const at = StoragePath.of({ scheme, connectionId: id, bucket, key: "" });
      await settingsOf(provider, at, await source.get(id), {});
      found.push(`${id} (${String(at).replace(/\/$/, "")})`);
    } catch {
      // Of another provider, or one that does not work either.
    }
  }
  if (found.length === 0) return undefined;
  const more = found.length > SHOWN ? `, and ${found.length - SHOWN} more` : "";
  return `no connection id in the path; known: ${found.slice(0, SHOWN).join(", ")}${more}`;
}

/** Returns the same for the path of an error that other credentials may mend. Never fails: the error is what counts. */
export async function meantConnections(error: unknown, env: Env): Promise<string | undefined> {
  if (!isStorageError(error) || !isAboutCredentials(error.code, error.detail)) return undefined;
  try {
    return await knownConnections(StoragePath.parse(error.path), env);
  } catch {
    return undefined;
  }
}

function isAboutCredentials(code: string, detail: string): boolean {
  if (code === "Unauthenticated" || code === "PermissionDenied") return true;
  return / needs? a package: |; name a connection$/.test(detail);
}
