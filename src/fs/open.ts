/** A Storage of named parts: nothing is in it, or in the bundle of a program, that is not given to it. */
import type { Codec } from "../codecs/codec.js";
import { codecsOf } from "../codecs/codec.js";
import { memoryLimiter } from "../concurrency.js";
import type { ConnectionSource } from "../connections/index.js";
import { checkOptions, type OptionNames } from "../errors.js";
import type { Driver, DriverContext, ObjectDriver, OpenDriver } from "./driver/driver.js";
import { Objects } from "./objects.js";
import type { StorageContext } from "./registry.js";
import { DriverRegistry } from "./registry.js";
import { Storage } from "./storage.js";

/** The parts of a Storage, or of {@link Objects}, whose drivers need do less. */
export interface LeanStorageOptions<D extends ObjectDriver = Driver> {
  /** By scheme: `{ s3: openS3 }`. Schemes with the same driver are one provider. */
  drivers: Readonly<Record<string, OpenDriver<D>>>;
  /** What `compression` can name or infer; a suffix of any other is Unsupported. @default none */
  codecs?: readonly Codec[] | undefined;
  /** Where connection ids are looked up. @default nowhere */
  connections?: ConnectionSource | undefined;
  /** The content type that a suffix stands for, where `write` is not told one. @default none is known */
  contentTypeOf?: StorageContext["contentTypeOf"] | undefined;
  /** Where drivers look up the providers' own variables. @default process.env */
  env?: DriverContext["env"] | undefined;
}

const NAMES: OptionNames<LeanStorageOptions> = {
  drivers: true,
  codecs: true,
  connections: true,
  contentTypeOf: true,
  env: true,
};

/** Bytes that all parts of all uploads, and all ranges of all parallel reads, of one Storage may hold in memory. */
const TRANSFER_BUDGET = 64 * 1024 * 1024;

const NOWHERE: ConnectionSource = { name: "the option connections, which was left out", get: async () => undefined };

/** A Storage over these drivers. Sends no request and reads no file until a path needs one. */
export function openStorage(options: LeanStorageOptions): Storage {
  const { reach, shared } = assembled(options);
  return new Storage(reach, shared);
}

/** As `openStorage`, without the verbs that list, copy, move, sign and push: for the smallest bundles. */
export function openObjects(options: LeanStorageOptions<ObjectDriver>): Objects {
  const { reach, shared } = assembled(options);
  return new Objects(reach, shared);
}

function assembled<D extends ObjectDriver>(
  options: LeanStorageOptions<D>,
): { reach: DriverRegistry<D>; shared: DriverContext } {
  checkOptions("openStorage", options, NAMES as OptionNames<LeanStorageOptions<D>>);
  const { drivers, codecs = [], connections = NOWHERE, contentTypeOf = () => undefined, env = process.env } = options;
  const shared: DriverContext = {
    uploads: memoryLimiter(TRANSFER_BUDGET),
    downloads: memoryLimiter(TRANSFER_BUDGET),
    env,
  };
  const kit: StorageContext = { codecs: codecsOf(codecs), contentTypeOf, written: new WeakSet() };
  const reach = new DriverRegistry(new Map(Object.entries(drivers)), connections, shared, kit);
  return { reach, shared };
}
