/** Changes the attributes of an object in place. */
import { failure } from "../../../errors.js";
import type { DriverAttributeOptions, ObjectAttributes, WriteResult } from "../../driver/driver.js";
import type { Api } from "./client.js";
import { copyObject } from "./copy.js";
import { fieldsOf, storedReceipt } from "./object.js";

/**
 * Patches the fields that change, which keeps the generation. Only a rewrite changes the storage class: it makes a new
 * generation.
 */
export async function setAttributes(
  api: Api,
  key: string,
  attributes: ObjectAttributes,
  { was, changed, signal }: DriverAttributeOptions,
): Promise<WriteResult> {
  if (changed.has("storageClass")) {
    const from = { bucket: api.place.bucket, key };
    return copyObject(api, from, key, { ifAbsent: false, ifMatch: was.etag, attributes, signal });
  }
  const fields: Record<string, unknown> = fieldsOf(attributes);
  const body = Object.fromEntries([...changed].map((name) => [name, fields[name] ?? null]));
  // A patch merges metadata: a name is only removed by null.
  if (changed.has("metadata")) {
    const gone = Object.keys(was.metadata ?? {}).map((name) => [name, null]);
    body.metadata = { ...Object.fromEntries(gone), ...attributes.metadata };
  }
  const query = { ifGenerationMatch: was.etag, fields: "generation" };
  const headers = { "content-type": "application/json; charset=UTF-8" };
  const data = Buffer.from(JSON.stringify(body));
  const receipt = storedReceipt(
    await api.json({ method: "PATCH", path: api.objects(key), query, headers, body: data, signal }),
  );
  if (receipt.etag !== was.etag) throw failure("ObjectChanged", "another write has replaced the object");
  return receipt;
}
