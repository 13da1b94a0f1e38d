/** The packages that a user of this one gets, from package-lock.json: those that the tests ran with. */
import { dirname } from "node:path";

/**
 * @typedef {object} LockEntry
 * @property {string} [version]
 * @property {string} [license]
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [optionalDependencies]
 */

/**
 * Returns these packages and everything that they depend on, by their place in the lock file. Throws if one is not there.
 * @param {Record<string, LockEntry>} packages the field of package-lock.json
 * @param {string[]} names
 */
export function closureOf(packages, names) {
  /** @type {Record<string, LockEntry>} */
  const found = {};
  const visit = (/** @type {string} */ place) => {
    const entry = packages[place];
    if (!entry || found[place]) return;
    found[place] = entry;
    for (const name of Object.keys(entry.dependencies ?? {})) visit(placeOf(packages, place, name));
    // A package for another platform may be missing.
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      const optional = tryPlaceOf(packages, place, name);
      if (optional !== undefined) visit(optional);
    }
  };
  for (const name of names) visit(placeOf(packages, "", name));
  return found;
}

/** @param {Record<string, LockEntry>} packages @param {string} from @param {string} name */
function placeOf(packages, from, name) {
  const place = tryPlaceOf(packages, from, name);
  if (place === undefined) throw new Error(`package-lock.json has no ${name} for ${from || "this package"}`);
  return place;
}

/** As Node finds a package: in the nearest node_modules. @param {Record<string, LockEntry>} packages */
function tryPlaceOf(packages, /** @type {string} */ from, /** @type {string} */ name) {
  for (let folder = from; ; folder = parentOf(folder)) {
    const place = `${folder ? `${folder}/` : ""}node_modules/${name}`;
    if (place in packages) return place;
    if (folder === "") return undefined;
  }
}

/** The package around a package: "" for those at the root. @param {string} place */
function parentOf(place) {
  const at = place.lastIndexOf("node_modules/");
  return at <= 0 ? "" : dirname(place.slice(0, at));
}

/**
 * Returns the packages whose licence is not in the list, as `name: licence`. A licence such as `(MIT OR GPL-2.0)` is a
 * choice.
 * @param {Record<string, LockEntry>} packages
 * @param {string[]} allowed
 */
export function refusedLicences(packages, allowed) {
  const isAllowed = (/** @type {string} */ licence) =>
    licence
      .replace(/^\(|\)$/g, "")
      .split(" OR ")
      .some((one) => allowed.includes(one));
  return Object.entries(packages)
    .filter(([, { license }]) => !isAllowed(license ?? ""))
    .map(([place, { license }]) => `${place.replace(/^.*node_modules\//, "")}: ${license ?? "no licence"}`);
}
