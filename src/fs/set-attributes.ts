/** Changes of attributes in place. */
import { checkOptions, failure, invalid, type OptionNames } from "../errors.js";
import { ATTRIBUTES, type AttributeChanges, withChanges } from "./attributes.js";
import type { WriteResult } from "./driver/driver.js";
import type { ResolvedObject } from "./operation.js";
import { checkConditions, type SetAttributesOptions } from "./options.js";

export async function setAttributes(
  { key, driver }: ResolvedObject,
  changes: AttributeChanges,
  { ifMatch, signal }: SetAttributesOptions,
): Promise<WriteResult> {
  checkOptions("setAttributes", changes as object, ATTRIBUTES as OptionNames<object>);
  checkConditions(false, ifMatch);
  const { changed } = withChanges({ key, size: 0 }, changes, driver);
  if (changed.size === 0) throw invalid("setAttributes needs at least one attribute that changes");
  const tags = driver.attributes.includes("tags") && !changed.has("tags");
  const was = await driver.stat(key, { version: undefined, tags, signal });
  if (was.etag === undefined) throw failure("Unsupported", "the server gives the object no etag");
  if (ifMatch !== undefined && was.etag !== ifMatch)
    throw failure("PreconditionFailed", `the etag is ${was.etag}, not ${ifMatch}`);
  const { attributes } = withChanges(was, changes, driver);
  return driver.setAttributes(key, attributes, { was, changed, conditional: ifMatch !== undefined, signal });
}
