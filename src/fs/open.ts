/** Assembles a Storage from parts: it, and the program's bundle, hold only the parts passed to it. */
import type { Codec } from "../codecs/codec.js";
import { codecsOf } from "../codecs/codec.js";
import { memoryLimiter } from "../concurrency.js";
import type { ConnectionSource } from "../connections/index.js";
import { checkOptions, invalid, type OptionNames } from "../errors.js";
import type { Driver, DriverContext, DriverFactory, ObjectDriver, OpenDriver } from "./driver/driver.js";
import { observed } from "./driver/observed-http.js";
import { openSockets } from "./driver/sockets.js";
import { Objects } from "./objects.js";
import { ObservedStorage } from "./observed-storage.js";
import type { StorageContext } from "./registry.js";
import { BucketDrivers, type DriverRegistry } from "./registry.js";
import type { Storage } from "./storage.js";

/** The parts of a Storage, or of {@link Objects}, whose drivers need fewer methods. */
export interface CreateStorageOptions<D extends ObjectDriver = Driver> {
  /** `[s3(), memory()]`. If two of them serve one scheme, the later one wins. */
  drivers: readonly DriverFactory<D>[];
  /** The codecs that `compression` can name or infer; the suffix of any other throws `Unsupported`. @default none */
  codecs?: readonly Codec[] | undefined;
  /** The source of connections by id. @default none */
  connections?: ConnectionSource | undefined;
  /** Returns the content type of a suffix, for a `write` without `contentType`. @default none */
  contentTypeOf?: StorageContext["contentTypeOf"] | undefined;
  /** The source of the providers' own variables. @default process.env */
  env?: DriverContext["env"] | undefined;
}

const NAMES: OptionNames<CreateStorageOptions> = {
  drivers: true,
  codecs: true,
  connections: true,
  contentTypeOf: true,
  env: true,
};

const NOWHERE: ConnectionSource = { name: "the option connections, which was left out", get: async () => undefined };

/** Returns a Storage over these drivers. Sends no request and reads no file until a path needs one. */
export function createStorage(options: CreateStorageOptions): Storage {
  const { registry, shared } = assemble(options);
  return new ObservedStorage(registry, Object.assign(shared, { observe: observed, openSockets }));
}

/**
 * Returns an Objects over these drivers: `createStorage` with only the verbs of single objects, for the smallest
 * bundles.
 */
export function createObjects(options: CreateStorageOptions<ObjectDriver>): Objects {
  const { registry, shared } = assemble(options);
  return new Objects(registry, shared);
}

function assemble<D extends ObjectDriver>(
  options: CreateStorageOptions<D>,
): { registry: DriverRegistry<D>; shared: DriverContext } {
  checkOptions("createStorage", options, NAMES as OptionNames<CreateStorageOptions<D>>);
  const { drivers, codecs = [], connections = NOWHERE, contentTypeOf = () => undefined, env = process.env } = options;
  const shared: DriverContext = {
    uploads: memoryLimiter(),
    downloads: memoryLimiter(),
    env,
  };
  const context: StorageContext = { codecs: codecsOf(codecs), contentTypeOf, written: new WeakSet() };
  const registry = new BucketDrivers(bySchemes(drivers), connections, shared, context);
  return { registry, shared };
}

function bySchemes<D extends ObjectDriver>(drivers: readonly DriverFactory<D>[]): ReadonlyMap<string, OpenDriver<D>> {
  if (!Array.isArray(drivers) || !drivers.every((one) => Array.isArray(one?.schemes) && one.open))
    throw invalid("drivers must be an array of what s3(), memory() and the like return: { schemes, open }");
  return new Map(
    drivers.flatMap(({ schemes, open }: DriverFactory<D>) => schemes.map((scheme) => [scheme, open] as const)),
  );
}
