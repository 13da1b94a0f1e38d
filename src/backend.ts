/** `XComObjectStorageBackend` as `stowage` exports it, with all features. */
import { checkOptions, type OptionNames } from "./errors.js";
import {
  type FromEnvOptions,
  XComObjectStorageBackend as LeanBackend,
  type XComObjectStorageBackendOptions,
} from "./objectstore-backend.js";
import { openStorage } from "./open.js";
import { ALL_FEATURES } from "./xcom/presets.js";
import { type Env, settingsFromEnv } from "./xcom/settings.js";

/** Checked here and not in the class below, which bundles of named parts contain too. */
const NAMES: OptionNames<XComObjectStorageBackendOptions> = {
  storage: true,
  path: true,
  threshold: true,
  compression: true,
  layout: true,
  keyTemplate: true,
  readAliases: true,
  purgeAliases: true,
  maxDecodedBytes: true,
  onMissing: true,
  encoding: true,
  serializers: true,
  allowedTypes: true,
  digest: true,
};

/**
 * Airflow's object storage backend for XComs: stores large values as objects and keeps a reference in the metadata row.
 *
 * Interoperates with stock Airflow in both directions. Refuses an invalid setting, id or value before the first
 * request.
 */
export class XComObjectStorageBackend extends LeanBackend {
  constructor(options: XComObjectStorageBackendOptions) {
    checkOptions("XComObjectStorageBackend", options, NAMES);
    super(options, ALL_FEATURES);
  }

  /**
   * Returns the backend that Airflow's own settings describe: `AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH`,
   * `_THRESHOLD` and `_COMPRESSION`. Without `storage` it opens one with the connections of `env`.
   */
  static fromEnv(env: Env = process.env, options: FromEnvOptions = {}): XComObjectStorageBackend {
    const settings = settingsFromEnv(env);
    return new XComObjectStorageBackend({ ...options, ...settings, storage: options.storage ?? openStorage({ env }) });
  }
}
