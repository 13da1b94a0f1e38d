/** Tries what the profiles of S3 services differ in, whatever the connection's own profile promises. */
import { createHash } from "node:crypto";
import type { Connection, ConnectionInput } from "../../connections/index.js";
import { isStorageError } from "../../errors.js";
import type { Storage } from "../../fs/index.js";
import { openStorage } from "../../open.js";
import { StoragePath } from "../../path.js";
import type { Session } from "../command.js";
import { type Finding, failedFinding, ok } from "./finding.js";

const FEATURES = ["bulk delete", "MD5 etags", "conditional writes", "conditional multipart writes"] as const;
type Feature = (typeof FEATURES)[number];

/** The features that each profile of a service at any address relies on, the richest profile first. */
const NEEDS: ReadonlyMap<string, readonly Feature[]> = new Map<string, readonly Feature[]>([
  ["minio", FEATURES],
  ["ceph", FEATURES.slice(0, 3)],
  ["versitygw", FEATURES.slice(0, 2)],
  ["seaweedfs", FEATURES.slice(0, 1)],
  ["rclone", FEATURES.slice(0, 1)],
  ["generic", []],
]);

const WRITERS = 8;

/** The names of the objects that a trial writes below its folder. */
export const TRIAL_NAMES: readonly string[] = ["trial a+b", "trial%2B", "trial.txt", "race.txt"];

/** How a profile fits a server. */
export interface ProfileFit {
  finding?: Finding;
  /** The profile to name for conditional writes, which the server seems to have and the connection's does not use. */
  conditional?: string;
}

/**
 * Returns which profile fits; no finding for services that their address identifies. `body` is one that is sent in
 * parts. Everything is written below `folder`.
 */
export async function tryProfile(
  { env, signal }: Session,
  folder: StoragePath,
  connection: Connection | undefined,
  provider: string,
  body: () => AsyncIterable<Uint8Array>,
): Promise<ProfileFit> {
  const needed = NEEDS.get(provider);
  if (!needed) return {};
  const { scheme, bucket, key } = folder;
  const at = StoragePath.of({ scheme, bucket, key, connectionId: "trial" });
  // Ceph's profile has no checksums, which older services refuse.
  await using single = openStorage({ env, connections: { trial: withProvider(connection, "ceph") } });
  await using parts = openStorage({ env, connections: { trial: withProvider(connection, "minio") } });
  const trials: Readonly<Record<Feature, () => Promise<boolean>>> = {
    "MD5 etags": () => hasMd5Etags(single, at, signal),
    "conditional writes": () => isConditional(single, at, signal),
    "conditional multipart writes": () =>
      isRefused(parts.write(at.join("trial.txt"), body(), { ifAbsent: true, signal }), "AlreadyExists"),
    "bulk delete": () => deletesAtOnce(single, at, signal),
  };
  const found = new Set<Feature>();
  for (const [feature, trial] of Object.entries(trials) as [Feature, () => Promise<boolean>][]) {
    if (await trial().catch(() => false)) found.add(feature);
    signal.throwIfAborted();
  }
  return judged(provider, needed, found);
}

function judged(provider: string, needed: readonly Feature[], found: ReadonlySet<Feature>): ProfileFit {
  const [fit = "generic", used = []] =
    [...NEEDS].find(([, features]) => features.every((feature) => found.has(feature))) ?? [];
  const missing = needed.filter((feature) => !found.has(feature));
  if (missing.length > 0) {
    const lacking = `${provider} relies on ${missing.join(", ")}, which this server lacks`;
    return { finding: failedFinding("profile", lacking, `write ${fit} into \`provider\` of the connection's extra`) };
  }
  // What a named profile leaves out is known to fail at times, which a trial cannot show.
  if (provider !== "generic" || used.length === 0) return { finding: ok("profile", `${provider} fits this server`) };
  const unused = `the server also did ${used.join(", ")}, which provider ${fit} would use`;
  const finding = ok("profile", `${provider} is safe here; ${unused} if the server's documentation promises them`);
  return { finding, ...(used.includes("conditional writes") && { conditional: fit }) };
}

function withProvider(connection: Connection | undefined, provider: string): ConnectionInput {
  if (!connection) return { type: "aws", extra: { provider } };
  const { type, host, login, password, schema, port, extra } = connection;
  return { type, host, login, password, schema, port, extra: { ...extra, provider } };
}

async function hasMd5Etags(storage: Storage, path: StoragePath, signal: AbortSignal): Promise<boolean> {
  const text = "the etag of this text is its MD5";
  const { etag } = await storage.write(path.join("trial.txt"), text, { signal });
  return etag?.replaceAll('"', "") === createHash("md5").update(text).digest("hex");
}

/** Writes twice with each condition, then with several writers at once, of which one may win. */
async function isConditional(storage: Storage, folder: StoragePath, signal: AbortSignal): Promise<boolean> {
  const [path, race] = [folder.join("trial.txt"), folder.join("race.txt")];
  const { etag: old } = await storage.write(path, "first", { signal });
  if (!(await isRefused(storage.write(path, "second", { ifAbsent: true, signal }), "AlreadyExists"))) return false;
  await storage.write(path, "third", { ifMatch: old, signal });
  if (!(await isRefused(storage.write(path, "fourth", { ifMatch: old, signal }), "PreconditionFailed"))) return false;
  const writers = Array.from({ length: WRITERS }, () => storage.write(race, "one", { ifAbsent: true, signal }));
  const outcomes = await Promise.allSettled(writers);
  return outcomes.filter(({ status }) => status === "fulfilled").length === 1;
}

async function isRefused(write: Promise<unknown>, code: "AlreadyExists" | "PreconditionFailed"): Promise<boolean> {
  return write.then(
    () => false,
    (error: unknown) => isStorageError(error, code),
  );
}

async function deletesAtOnce(storage: Storage, folder: StoragePath, signal: AbortSignal): Promise<boolean> {
  const paths = TRIAL_NAMES.map((name) => folder.join(name));
  for (const path of paths) await storage.write(path, "1", { signal });
  await storage.delete(paths, { signal });
  const left = await Promise.all(paths.map((path) => storage.exists(path, { signal })));
  return !left.includes(true);
}
