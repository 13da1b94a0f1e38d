/** Determines the settings for this process's XComs, and their source. */
import { invalid } from "../errors.js";
import { StoragePath } from "../path.js";
import { type Env, SETTING, settingsFromEnv, type XComCompression, type XComSettings } from "../xcom/settings.js";

/** The three settings of Airflow's backend, for processes whose environment lacks them. */
export interface SettingsOptions {
  /** `s3://my_conn@my_bucket/xcom`; must equal Airflow's own setting if both are given. */
  path?: StoragePath | string | undefined;
  /** Values whose Python JSON has at least this many bytes become objects; 0 stores all, -1 none. */
  threshold?: number | undefined;
  /** `null`: none. */
  compression?: XComCompression | null | undefined;
}

/** The effective settings, and one line that describes them. */
export interface EffectiveSettings extends XComSettings {
  readonly line: string;
}

/**
 * Returns the effective settings: options take precedence over the environment. Throws InvalidArgument if there is no
 * path, if a setting is invalid, and if option and environment name different paths: Python tasks use the
 * environment's.
 */
export function effectiveSettings(options: SettingsOptions, env: Env): EffectiveSettings {
  const path = options.path === undefined ? undefined : String(options.path);
  checkPaths(path, env[SETTING.path]);
  const found = settingsFromEnv(path === undefined ? env : { ...env, [SETTING.path]: path });
  const settings = {
    path: found.path,
    threshold: options.threshold ?? found.threshold,
    compression: options.compression === undefined ? found.compression : options.compression,
  };
  return { ...settings, line: lineOf(settings, options, env) };
}

function checkPaths(option: string | undefined, variable: string | undefined): void {
  if (option === undefined && !variable) {
    const why = "settings that are only in airflow.cfg do not reach this process";
    throw invalid(`there is no base path; set ${SETTING.path} or give the option path (${why})`);
  }
  if (option === undefined || !variable) return;
  const [ours, theirs] = [option, variable].map((text) => String(StoragePath.parse(text)));
  if (ours === theirs) return;
  const why = "Python tasks use the latter; leave the option out, or make them equal";
  throw invalid(`the option path is ${ours}, but ${SETTING.path} is ${theirs}; ${why}`);
}

function lineOf({ path, threshold, compression }: XComSettings, options: SettingsOptions, env: Env): string {
  const what = threshold < 0 ? "no XCom goes" : `XComs of ${threshold} bytes and more go`;
  const how = compression ? `with ${compression}` : "uncompressed";
  const sources = (["path", "threshold", "compression"] as const).map(
    (name) => `${name}: ${sourceOf(name, options, env)}`,
  );
  return `stowage: ${what} to ${StoragePath.parse(path)}, ${how} (${sources.join(", ")})`;
}

function sourceOf(name: keyof typeof SETTING, options: SettingsOptions, env: Env): string {
  if (options[name] !== undefined) return "option";
  return env[SETTING[name]] ? "environment" : "default";
}

const BACKEND = "AIRFLOW__CORE__XCOM_BACKEND";

/** Returns a warning if Python tasks will not read the objects written here. */
export function backendWarning(env: Env): string | undefined {
  const backend = env[BACKEND];
  if (!backend || backend.endsWith("XComObjectStorageBackend")) return undefined;
  return `stowage: ${BACKEND} is ${backend}: Python tasks read references only with XComObjectStorageBackend`;
}
