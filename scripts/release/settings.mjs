/**
 * What only the owner of the project knows, from `release.json`: nothing else in the repository has an address of it.
 *
 * - `repository`: the address of the repository, such as https://github.com/<owner>/<name>
 * - `npm`: the name under which the package is published, with its scope if it has one
 * - `site`: the address of the documentation site, such as https://<owner>.github.io/<name>/
 *
 * An address that is not known yet is "". The dry run works without them, a release does not.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const ROOT = resolve(import.meta.dirname, "../..");

/** https://docs.npmjs.com/cli/v11/configuring-npm/package-json#name */
const NPM_NAME = /^(?:@[a-z0-9-][a-z0-9-._]*\/)?[a-z0-9-][a-z0-9-._]*$/;

/** @typedef {{ repository: string, npm: string, site: string }} Settings addresses without a slash at the end */

/** Returns the settings. Throws if a line is missing, unknown or malformed. @returns {Settings} */
export function settings(text = readFileSync(join(ROOT, "release.json"), "utf8")) {
  const { repository, npm, site, ...rest } = JSON.parse(text);
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw new Error(`release.json: unknown line "${unknown}"`);
  if (typeof npm !== "string" || !NPM_NAME.test(npm)) throw new Error("release.json: npm is not the name of a package");
  return { repository: address("repository", repository), npm, site: address("site", site) };
}

/** @param {string} line @param {unknown} value */
function address(line, value) {
  if (value === "") return value;
  const problem = `release.json: ${line} must be an https address without a query, or "" while there is none`;
  if (typeof value !== "string" || !URL.canParse(value)) throw new Error(problem);
  const { protocol, search, hash, username, password } = new URL(value);
  if (protocol !== "https:" || search || hash || username || password) throw new Error(problem);
  return value.replace(/(?:\.git)?\/*$/, "");
}

/** The path of the site on its host, as VitePress takes it: `/` or `/<name>/`. @param {string} site */
export function basePath(site) {
  return site === "" ? "/" : `${new URL(site).pathname.replace(/\/+$/, "")}/`;
}

/** The lines that a release needs and that are empty. @param {Settings} settings */
export function missingLines(settings) {
  return Object.entries(settings).flatMap(([line, value]) => (value === "" ? [line] : []));
}
