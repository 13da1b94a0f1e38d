/** The XCom backend as `stowage` exports it. */
import {
  type FromEnvOptions,
  XComObjectStorageBackend as LeanBackend,
  type XComObjectStorageBackendOptions,
} from "./objectstore-backend.js";
import { openStorage } from "./open.js";
import { ALL_FEATURES } from "./xcom/presets.js";
import { type Env, settingsFromEnv } from "./xcom/settings.js";

/**
 * Airflow's object storage backend for XComs: large values become objects, the metadata row keeps a reference.
 *
 * Stock Airflow reads what this stores, and the reverse. Every refusal of a setting, an id or a value comes before
 * the first request.
 */
export class XComObjectStorageBackend extends LeanBackend {
  constructor(options: XComObjectStorageBackendOptions) {
    super(options, ALL_FEATURES);
  }

  /**
   * The backend that Airflow's own settings describe: `AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH`, `_THRESHOLD` and
   * `_COMPRESSION`. Without `storage` it opens one with the connections of `env`.
   */
  static fromEnv(env: Env = process.env, options: FromEnvOptions = {}): XComObjectStorageBackend {
    const settings = settingsFromEnv(env);
    return new XComObjectStorageBackend({ ...options, ...settings, storage: options.storage ?? openStorage({ env }) });
  }
}
