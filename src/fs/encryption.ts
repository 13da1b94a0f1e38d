/** The encryption of one call. */
import { isInstance } from "../brand.js";
import { Secret } from "../connections/secret.js";
import { checkOptions, failure, invalid, type OptionNames } from "../errors.js";
import type {
  CallEncryption,
  CustomerKey,
  Driver,
  EncryptionName,
  ObjectEncryption,
  ObjectInfo,
} from "./driver/driver.js";
import { checkHeader } from "./options.js";
import type { BucketLocation, DriverRegistry } from "./registry.js";
import { SharedDrivers } from "./shared-drivers.js";

/** The options of a call that choose its encryption. */
export interface EncryptionSettings {
  encryption?: ObjectEncryption | undefined;
  customerKey?: CustomerKey | undefined;
}

/** Shares the drivers of a Storage, with another encryption. The options are checked within the call that needs them. */
export class EncryptedDrivers extends SharedDrivers {
  readonly #settings: EncryptionSettings;

  constructor(whole: DriverRegistry, options: EncryptionSettings) {
    super(whole);
    this.#settings = options;
  }

  override async driver(path: BucketLocation): Promise<Driver> {
    return withEncryption(await super.driver(path), this.#settings);
  }
}

/** Returns the driver for calls with this encryption. Throws Unsupported for a field that the provider does not have. */
export function withEncryption(driver: Driver, { encryption, customerKey }: EncryptionSettings): Driver {
  if (encryption === undefined && customerKey === undefined) return driver;
  const create = encryption && checkEncryption(encryption);
  const key = customerKey === undefined ? undefined : secretKey("customerKey", customerKey);
  const support = driver.encryption;
  const used = Object.keys({ ...create, ...(key && { customerKey: key }) }) as EncryptionName[];
  const missing = used.find((name) => !support?.names.includes(name));
  if (missing) throw failure("Unsupported", `this provider does not encrypt by ${missing}`);
  return support?.driver({ create, customerKey: key }) ?? driver;
}

const NAMES: OptionNames<ObjectEncryption> = { sse: true, kmsKeyId: true, customerKey: true, scope: true };
const SSE: readonly string[] = ["AES256", "aws:kms", "aws:kms:dsse"];

/** Returns the fields that are set. */
function checkEncryption(given: ObjectEncryption): CallEncryption["create"] {
  checkOptions("encryption", given, NAMES);
  const { sse, kmsKeyId, customerKey, scope } = given;
  if (sse !== undefined && !SSE.includes(sse)) throw invalid(`encryption.sse must be one of ${SSE.join(", ")}`);
  if (sse === "AES256" && kmsKeyId !== undefined) throw invalid('encryption.kmsKeyId needs the sse "aws:kms"');
  checkName("encryption.kmsKeyId", kmsKeyId);
  checkName("encryption.scope", scope);
  if (customerKey !== undefined && [sse, kmsKeyId, scope].some((one) => one !== undefined))
    throw invalid("encryption.customerKey excludes sse, kmsKeyId and scope");
  return {
    ...(sse !== undefined && { sse }),
    ...(kmsKeyId !== undefined && { kmsKeyId }),
    ...(scope !== undefined && { scope }),
    ...(customerKey !== undefined && { customerKey: secretKey("encryption.customerKey", customerKey) }),
  };
}

function checkName(name: string, value: string | undefined): void {
  if (value === undefined) return;
  checkHeader(name, value);
  if (value === "" || /[^!-~]/.test(value)) throw invalid(`${name} must be text of ASCII without spaces`);
}

/** Returns the key in base64. No message has a part of it. */
function secretKey(name: string, key: CustomerKey): Secret {
  const given = isInstance<Secret>(key, "Secret") ? key.reveal() : key;
  const bytes = typeof given === "string" ? Buffer.from(given, "base64") : given;
  if (!(bytes instanceof Uint8Array) || bytes.byteLength !== 32)
    throw invalid(`${name} must be 32 bytes, as they are or in base64`);
  const text = Buffer.from(bytes).toString("base64");
  // Node skips what is not base64.
  if (typeof given === "string" && given !== text) throw invalid(`${name} must be 32 bytes, as they are or in base64`);
  return new Secret(text);
}

/** Returns the encryption that a new version of an object keeps; undefined for what the bucket does by itself. */
export function encryptionOf({ encryption }: ObjectInfo): ObjectEncryption | undefined {
  const { sse = "", kmsKeyId, scope } = encryption ?? {};
  const managed = sse !== "AES256" && SSE.includes(sse) ? (sse as "aws:kms") : undefined;
  if (managed === undefined && kmsKeyId === undefined && scope === undefined) return undefined;
  return { sse: managed, kmsKeyId, scope };
}

interface Side {
  driver: Driver;
}

/**
 * Returns the two sides of a copy: the source read with its key, and the target with the encryption of the copy, which
 * is the source's key unless the caller states another. `inside`: the target's provider reads the source.
 */
export function encryptedSides<A extends Side, B extends Side>(
  source: A,
  target: B,
  { encryption, customerKey }: EncryptionSettings,
  inside: boolean,
): { source: A; target: B } {
  if (encryption === undefined && customerKey === undefined) return { source, target };
  const reading = withEncryption(source.driver, { customerKey });
  const writing = { encryption: encryption ?? { customerKey }, ...(inside && { customerKey }) };
  return {
    source: { ...source, driver: reading },
    target: { ...target, driver: withEncryption(target.driver, writing) },
  };
}

/** Returns whether a copy with this encryption must pass through this process. */
export function haveDifferentKeys(
  { encryption: support }: Driver,
  { encryption, customerKey }: EncryptionSettings,
): boolean {
  return (customerKey ?? encryption?.customerKey) !== undefined && !support?.customerKeyOnCopy;
}
