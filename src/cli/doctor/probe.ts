/** Tests the permitted operations below a path on the doctor's own objects. */

import { randomUUID } from "node:crypto";
import { readdir, rmdir, stat } from "node:fs/promises";
import type { Connection } from "../../connections/index.js";
import { isStorageError } from "../../errors.js";
import type { Storage } from "../../fs/index.js";
import { providerOf, type StoragePath } from "../../path.js";
import type { Session } from "../command.js";
import { bytes } from "../format.js";
import { brokenFinding, type Finding, failedFinding, mendOf, ok, skippedFinding, warning } from "./finding.js";
import { type ProfileFit, TRIAL_NAMES, tryProfile } from "./profile.js";

const FIRST = "written by stowage doctor";
const SECOND = "written by stowage doctor again";
/** One byte more than any driver sends in one request. */
const LARGE = 8 * 2 ** 20 + 1;
const CHUNK = 64 * 1024;
/** Milliseconds for the clean-up after Ctrl-C. */
const GRACE = 10_000;

/** Names that servers and proxies decode once too often, or not at all. */
const ODD_NAMES = ["a b", "a%20b", "a%2Bb", "a+b"];

/** The connection and the profile of an S3 service. */
export interface ProfileTrial {
  connection: Connection | undefined;
  profile: string;
}

/** Writes, reads, replaces and deletes below one directory, `.stowage-doctor-<uuid>`. */
export class Probe {
  readonly #session: Session;
  readonly #trial: ProfileTrial | undefined;
  readonly #storage: Storage;
  readonly #signal: AbortSignal;
  readonly #at: StoragePath;
  readonly #small: StoragePath;
  readonly #large: StoragePath;
  #fit: Promise<ProfileFit> | undefined;
  #versioned = false;
  #cleared = false;

  constructor(session: Session, path: StoragePath, trial: ProfileTrial | undefined) {
    this.#session = session;
    this.#trial = trial;
    this.#storage = session.storage;
    this.#signal = session.signal;
    this.#at = path.join(`.stowage-doctor-${randomUUID()}`);
    this.#small = this.#at.join("probe.txt");
    this.#large = this.#at.join("parts.bin");
  }

  async *run(): AsyncGenerator<Finding> {
    const folders = await missingFolders(this.#at.join("names"));
    try {
      const written = await this.#try("write", "write", () => this.#write());
      yield written;
      if (written.status === "failed") return yield skippedFinding("the rest", "needs to write");
      yield await this.#try("read", "read", () => this.#read());
      yield await this.#try("if absent", "write", () => this.#ifAbsent());
      yield await this.#try("if match", "write", () => this.#ifMatch());
      yield await this.#try("parts", "write", () => this.#parts());
      yield await this.#try("names", "write", () => this.#names());
      const { finding: profile } = await this.#triedProfile();
      if (profile) yield profile;
      yield await this.#try("delete", "delete", () => this.#delete());
    } finally {
      if (!this.#cleared) await this.#clear(AbortSignal.timeout(GRACE)).catch(() => {});
      for (const folder of folders) await rmdir(folder).catch(() => {});
    }
  }

  async #try(check: string, action: "read" | "write" | "delete", work: () => Promise<Finding>): Promise<Finding> {
    try {
      return await work();
    } catch (error) {
      return brokenFinding(check, error, this.#signal, mendOf(error, action, this.#at, this.#session.program));
    }
  }

  async #write(): Promise<Finding> {
    const { version } = await this.#storage.write(this.#small, FIRST, { signal: this.#signal });
    this.#versioned = version !== undefined;
    return ok("write", `an object of ${FIRST.length} bytes is stored`);
  }

  async #read(): Promise<Finding> {
    const text = await this.#storage.text(this.#small, { signal: this.#signal });
    if (text === FIRST) return ok("read", "it comes back as it was written");
    return failedFinding(
      "read",
      "something else came back than was written",
      "look for a proxy or cache that changes answers",
    );
  }

  async #ifAbsent(): Promise<Finding> {
    const check = "if absent";
    try {
      await this.#storage.write(this.#small, SECOND, { ifAbsent: true, signal: this.#signal });
    } catch (error) {
      if (isStorageError(error, "AlreadyExists")) return ok(check, "a second write is refused");
      if (isStorageError(error, "Unsupported")) return unconditional(check, (await this.#triedProfile()).conditional);
      throw error;
    }
    return failedFinding(check, "a second write replaced the object in silence", NAME_PROVIDER);
  }

  async #ifMatch(): Promise<Finding> {
    const check = "if match";
    const { etag: old } = await this.#storage.stat(this.#small, { signal: this.#signal });
    await this.#storage.write(this.#small, SECOND, { signal: this.#signal });
    try {
      await this.#storage.write(this.#small, FIRST, { ifMatch: old, signal: this.#signal });
    } catch (error) {
      if (isStorageError(error, "PreconditionFailed")) return ok(check, "a write over a newer object is refused");
      if (isStorageError(error, "Unsupported")) return unconditional(check, (await this.#triedProfile()).conditional);
      throw error;
    }
    return failedFinding(check, "a write replaced a newer object in silence", NAME_PROVIDER);
  }

  async #parts(): Promise<Finding> {
    await this.#storage.write(this.#large, counting(LARGE), { signal: this.#signal });
    const { size } = await this.#storage.stat(this.#large, { signal: this.#signal });
    const end = await this.#storage.bytes(this.#large, { start: LARGE - 1, signal: this.#signal });
    if (size === LARGE && end[0] === ((LARGE - 1) / CHUNK) % 256)
      return ok("parts", `${bytes(LARGE)} of a stream are stored`);
    return failedFinding(
      "parts",
      `${size} of ${LARGE} bytes are there`,
      "the server does not put parts together: update it",
    );
  }

  /** Lists, then deletes at once, objects whose names are changed by a wrong decoding. */
  async #names(): Promise<Finding> {
    const check = "names";
    const [folder, signal] = [this.#at.join("names"), this.#signal];
    const paths = ODD_NAMES.map((name) => folder.join(name));
    for (const path of paths) await this.#storage.write(path, path.name, { signal });
    const listed: string[] = [];
    for await (const { path } of this.#storage.list(folder, { signal })) listed.push(path.name);
    await this.#storage.delete(paths, { signal });
    if (listed.join() !== ODD_NAMES.join())
      return failedFinding(
        check,
        `${ODD_NAMES.join(", ")} are listed as ${listed.join(", ")}`,
        "update the server or the proxy before it",
      );
    const left = await Promise.all(paths.map((path) => this.#storage.exists(path, { signal })));
    if (left.includes(true)) return failedFinding(check, "a bulk delete left objects behind", NAME_PROVIDER);
    return ok(check, "names with +, % and a space are listed and deleted as they are");
  }

  /** A condition that is refused needs to know the profile before its own line. */
  #triedProfile(): Promise<ProfileFit> {
    this.#fit ??= this.#tryProfile();
    return this.#fit;
  }

  async #tryProfile(): Promise<ProfileFit> {
    if (!this.#trial) return {};
    const { connection, profile } = this.#trial;
    try {
      return await tryProfile(this.#session, this.#at, connection, profile, () => counting(LARGE));
    } catch (error) {
      const fix = "name the server in `provider` of the connection's extra";
      return { finding: brokenFinding("profile", error, this.#signal, fix) };
    }
  }

  /** Everything that is ever written. */
  get #objects(): StoragePath[] {
    const names = ODD_NAMES.map((name) => this.#at.join("names", name));
    const trials = this.#trial ? TRIAL_NAMES.map((name) => this.#at.join(name)) : [];
    return [this.#small, this.#large, ...names, ...trials];
  }

  async #delete(): Promise<Finding> {
    const objects = this.#objects;
    await this.#storage.delete(objects, { signal: this.#signal });
    for (const path of objects) {
      if (!(await this.#storage.exists(path, { signal: this.#signal }))) continue;
      return failedFinding(
        "delete",
        `${path} is still there`,
        "delete it by hand, and look for a lock or a retention rule",
      );
    }
    return this.#clearedVersions();
  }

  /** In versioned buckets a delete leaves the versions. */
  async #clearedVersions(): Promise<Finding> {
    try {
      await this.#clear(this.#signal);
      this.#cleared = true;
      return ok("delete", "the probe objects are gone, nothing is left behind");
    } catch (error) {
      if (isStorageError(error, "Unsupported")) return ok("delete", "the probe objects are gone");
      this.#signal.throwIfAborted();
      const detail = `the probe objects are gone, their old versions below ${this.#at} are not`;
      return warning("delete", detail, "allow these credentials to delete versions, or let a lifecycle rule do it");
    }
  }

  async #clear(signal: AbortSignal): Promise<void> {
    await this.#storage.delete(this.#objects, { signal });
    if (!this.#versioned) return;
    for await (const { path, version } of this.#storage.list(this.#at, { recursive: true, versions: true, signal })) {
      if (version !== undefined) await this.#storage.delete(path, { version, signal });
    }
  }
}

const NAME_PROVIDER =
  "do not rely on conditional writes here; on S3, write which server it is into `provider` of the connection's extra";

/** @param profile the one that would have the condition, if the server seems to */
function unconditional(check: string, profile: string | undefined): Finding {
  const names = "use names that nobody else uses";
  const promised = "if the server's documentation promises conditional writes";
  const fix = profile
    ? `write ${profile} into \`provider\` of the connection's extra ${promised}; else ${names}`
    : names;
  return warning(check, "the provider has no such condition, so stowage refuses it", fix);
}

/** Yields a stream of unknown size, which drivers send in parts; each chunk is filled with its number. */
async function* counting(size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0, number = 0; at < size; at += CHUNK, number++) {
    yield new Uint8Array(Math.min(CHUNK, size - at)).fill(number % 256);
  }
}

/** Returns the missing folders of a local path that a write would create, innermost first. */
async function missingFolders({ scheme, key }: StoragePath): Promise<string[]> {
  if (providerOf(scheme) !== "file") return [];
  const missing: string[] = [];
  for (let folder = `/${key}`; folder !== ""; folder = folder.slice(0, folder.lastIndexOf("/"))) {
    if (await stat(folder).catch(() => undefined)) break;
    missing.push(folder);
  }
  return missing;
}

// Leftovers of killed writers in a local folder.

/** The prefix of unfinished writes. */
const UNFINISHED = ".stowage-tmp-";

/** Returns unfinished writes in the folder itself, if any. The preceding listing removes those older than a week. */
export async function findLeftovers({ scheme, key }: StoragePath): Promise<Finding | undefined> {
  if (providerOf(scheme) !== "file") return undefined;
  const names = await readdir(`/${key}`).catch(() => []);
  const left = names.filter((name) => name.startsWith(UNFINISHED));
  if (left.length === 0) return undefined;
  return warning(
    "leftovers",
    `${left.length} unfinished writes, ${left[0]} among them: a writer that still runs, or one that was killed`,
    "nothing, if programs are writing here; else delete them, or let a listing do it when they are a week old",
  );
}
