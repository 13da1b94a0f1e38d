/** Paths below one base, which they cannot leave. */
import { isInstance } from "../brand.js";
import { invalid } from "../errors.js";
import type { StoragePath } from "../path.js";
import type { PathLike } from "./options.js";
import type { DriverRegistry } from "./registry.js";
import { SharedDrivers } from "./shared-drivers.js";

/** Shares the drivers of a Storage. Takes keys relative to the base, and paths that lie below it. */
export class Scope extends SharedDrivers {
  readonly #base: StoragePath;

  constructor(whole: DriverRegistry, base: StoragePath) {
    super(whole);
    this.#base = base;
  }

  override get below(): string {
    return this.#base.key;
  }

  override path(path: PathLike): StoragePath {
    if (typeof path === "string") return this.#base.join(relative(this.#notAbsolute(path)));
    const parsed = isInstance<StoragePath>(path, "StoragePath") ? path : super.path(path);
    relative(parsed.relativeTo(this.#base));
    return parsed;
  }

  /** A path as text would become a key below the base, not the object that it names. Other schemes are names. */
  #notAbsolute(key: string): string {
    const scheme = /^[a-z][a-z\d+.-]*(?=:\/)/i.exec(key)?.[0].toLowerCase();
    if (scheme === undefined) return key;
    try {
      this.opener(scheme);
    } catch {
      return key;
    }
    throw invalid(`the key ${JSON.stringify(key)} is not relative: it begins with the scheme of a path`);
  }
}

/** Returns the key if it is relative and climbs nowhere: files would leave the base, and object stores take the name. */
function relative(key: string): string {
  if (key.startsWith("/")) throw invalid(`the key ${JSON.stringify(key)} is not relative: it begins with a slash`);
  if (/(?:^|\/)\.\.?(?:\/|$)/.test(key)) throw invalid(`the key ${JSON.stringify(key)} has a segment . or ..`);
  return key;
}
