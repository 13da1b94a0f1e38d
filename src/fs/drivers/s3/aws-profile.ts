/** Reads the region and the endpoints of an AWS profile from the files that all AWS tools share. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Connection } from "../../../connections/connection.js";
import { endpointOf, FieldReader } from "../../../connections/fields.js";
import { displayId, type Env } from "../../../connections/sources.js";
import { invalid } from "../../../errors.js";

/**
 * Returns the environment of the S3 driver: `env`, completed by the region and the endpoints of the profile in use,
 * which is the connection's, else `AWS_PROFILE`, else `default`. Environment variables take precedence over a profile,
 * as in AWS's tools. A missing or unreadable file, or a profile without these settings, adds nothing. Throws
 * InvalidArgument if an endpoint in the profile is not an address.
 */
export async function envWithAwsProfile(connection: Connection | undefined, env: Env): Promise<Env> {
  const name = awsProfileName(connection, env);
  const { settings, services } = await readProfile(name, env);
  const found = { ...env };
  const region = settings.get("region");
  if (region && !env.AWS_REGION && !env.AWS_DEFAULT_REGION) found.AWS_REGION = region;
  if (env.AWS_ENDPOINT_URL || settings.get("ignore_configured_endpoint_urls")?.toLowerCase() === "true") return found;
  for (const service of ["s3", "sts"]) {
    const variable = `AWS_ENDPOINT_URL_${service.toUpperCase()}`;
    const endpoint = services.get(`${service}.endpoint_url`) ?? settings.get("endpoint_url");
    if (endpoint && !env[variable]) {
      found[variable] = endpointOf(endpoint, (why) => invalid(`profile ${displayId(name)}: endpoint_url ${why}`));
    }
  }
  return found;
}

/** Returns the name of the profile in use. */
export function awsProfileName(connection: Connection | undefined, env: Env): string {
  const extra = connection && FieldReader.of(connection, ["aws", "s3"]);
  const stated = extra?.text("profile_name") ?? extra?.object("session_kwargs").text("profile_name");
  return stated ?? (env.AWS_PROFILE || "default");
}

type Settings = ReadonlyMap<string, string>;

/** Settings in the credentials file take precedence, as in AWS's tools. */
async function readProfile(name: string, env: Env): Promise<{ settings: Settings; services: Settings }> {
  const [config, credentials] = await Promise.all([
    readSections(fileOf(env.AWS_CONFIG_FILE, "config", env)),
    readSections(fileOf(env.AWS_SHARED_CREDENTIALS_FILE, "credentials", env)),
  ]);
  const own = config.get(`profile ${name}`) ?? (name === "default" ? config.get(name) : undefined);
  const settings = new Map([...(own ?? []), ...(credentials.get(name) ?? [])]);
  return { settings, services: config.get(`services ${settings.get("services")}`) ?? new Map() };
}

/** An environment without a home folder has no files: the process's own are not looked for. */
function fileOf(stated: string | undefined, name: string, env: Env): string | undefined {
  const home = env.HOME || env.USERPROFILE;
  if (stated) return home ? stated.replace(/^~(?=\/)/, () => home) : stated;
  return home && join(home, ".aws", name);
}

async function readSections(path: string | undefined): Promise<ReadonlyMap<string, Settings>> {
  return parseSections(path === undefined ? "" : await readFile(path, "utf8").catch(() => ""));
}

/**
 * Parses AWS's dialect of INI: `#` and `;` start comments at the beginning of a line or after a space, and the indented
 * lines below a setting without a value are its own settings, here under `setting.name`.
 */
function parseSections(text: string): ReadonlyMap<string, Settings> {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | undefined;
  let group = "";
  for (const line of text.split(/\r?\n/)) {
    const stated = line.split(/(?:^|\s)[;#]/)[0]!.trim();
    const title = /^\[(.*)\]$/.exec(stated)?.[1];
    if (title !== undefined) {
      const name = title.trim().replace(/^(profile|services)\s+(["']?)(.+)\2$/, "$1 $3");
      section = sections.get(name) ?? new Map();
      sections.set(name, section);
      group = "";
      continue;
    }
    const at = stated.indexOf("=");
    if (!section || at < 1) continue;
    const [name, value] = [stated.slice(0, at).trim(), stated.slice(at + 1).trim()];
    if (!/^\s/.test(line)) group = value === "" ? `${name}.` : "";
    if (value !== "") section.set(group + name, value);
  }
  return sections;
}
