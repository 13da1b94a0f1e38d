/** The settings of the backend that the command stores values with. */
import { invalid } from "../../errors.js";
import { SETTING, settingsFromEnv, type XComCompression, type XComSettings } from "../../xcom/config.js";
import type { Session } from "../session.js";
import { NO_BASE } from "./place.js";

export interface BackendOptions {
  base?: string;
  threshold?: number;
  compression?: XComCompression;
}

/** The options, else Airflow's settings; whoever stores by hand wants an object unless the settings say otherwise. */
export function settingsOf(session: Session, options: BackendOptions): XComSettings {
  const { env } = session;
  const path = options.base === undefined ? env[SETTING.path] : String(session.path(options.base));
  if (!path) throw invalid(NO_BASE.replace("name a path", "name one by --base"));
  const threshold = options.threshold === undefined ? (env[SETTING.threshold] ?? "0") : String(options.threshold);
  const compression = options.compression ?? env[SETTING.compression];
  const names = { [SETTING.path]: path, [SETTING.threshold]: threshold, [SETTING.compression]: compression };
  return settingsFromEnv(names);
}
