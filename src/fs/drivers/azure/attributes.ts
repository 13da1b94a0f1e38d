/**
 * The tags of a blob, changes of its attributes in place, and the encryption of one call.
 * https://learn.microsoft.com/azure/storage/blobs/encryption-customer-provided-keys
 */
import type { Secret } from "../../../connections/index.js";
import { failure, invalid } from "../../../errors.js";
import { checkConfidential, keySha256 } from "../../driver/customer-key.js";
import type {
  AttributeName,
  CallEncryption,
  DriverAttributeOptions,
  DriverStatOptions,
  EncryptionName,
  ObjectAttributes,
  ObjectInfo,
  WriteResult,
} from "../../driver/driver.js";
import { readXml } from "../../http/xml.js";
import { escapeXml } from "../../http/xml-fields.js";
import { type AzureRequest, type EncryptionHeaders, type Server, scopeHeaders } from "./client.js";
import { metadataHeaders, placeHeaders, propertyHeaders, writeResult, writeResultOf } from "./object.js";
import { statObject } from "./read.js";

/** Returns the tags of a blob of any container of the account. */
export async function readTags(
  server: Server,
  blob: { bucket?: string; key: string },
  version: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Record<string, string>> {
  const query = { comp: "tags", versionid: version };
  const { text } = await server.text({ method: "GET", ...blob, query, signal });
  const { rows } = readXml(text, "Tags", { "TagSet/Tag": ({ Key, Value = "" }) => [Key, Value] as const });
  return Object.fromEntries(rows.map(([name, value]) => [tagName(name), value]));
}

function tagName(name: string | undefined): string {
  if (name) return name;
  throw failure("Corrupt", "the server's list of tags has one without a name");
}

export async function statWithTags(server: Server, key: string, options: DriverStatOptions): Promise<ObjectInfo> {
  const { version, tags, signal } = options;
  const info = await statObject(server, key, options);
  return tags ? { ...info, tags: info.tagCount ? await readTags(server, { key }, version, signal) : {} } : info;
}

const OK: readonly number[] = [200];
const NO_CONTENT: readonly number[] = [204];
const SET_TIER: readonly number[] = [200, 202];

/**
 * Sends one request for each kind that changes: properties, metadata, tags, tier. The first two have the etag of the one
 * before as their condition; tags and tier can have none. A failure in between leaves the first ones done.
 */
export async function setAttributes(
  server: Server,
  key: string,
  attributes: ObjectAttributes,
  { was, changed, signal }: DriverAttributeOptions,
): Promise<WriteResult> {
  // Refuses what Azure does not know before the first request.
  const metadata = metadataHeaders(attributes.metadata);
  const { tags, storageClass } = attributes;
  placeHeaders({ ...(changed.has("tags") && { tags }), ...(changed.has("storageClass") && { storageClass }) });
  if (changed.has("storageClass") && storageClass === undefined) throw invalid("a blob has always an access tier");
  let result = writeResult(was.etag, was.version);
  const set = async (comp: string, described: AzureRequest["headers"]) => {
    const headers = { ...server.encryption.use, ...described, "if-match": result.etag };
    const { headers: answered } = await server.text({
      method: "PUT",
      key,
      query: { comp },
      headers,
      statuses: OK,
      signal,
    });
    result = writeResult(answered.etag ?? result.etag, writeResultOf(answered).version ?? result.version);
  };
  if ([...changed].some((name) => !APART.has(name))) await set("properties", propertyHeaders(attributes));
  if (changed.has("metadata")) await set("metadata", metadata);
  if (changed.has("tags")) await setTags(server, key, attributes.tags ?? {}, signal);
  if (changed.has("storageClass")) await setTier(server, key, attributes.storageClass, signal);
  return result;
}

/** The attributes with a request of their own. */
const APART: ReadonlySet<AttributeName> = new Set(["metadata", "tags", "storageClass"]);

async function setTier(server: Server, key: string, tier: string | undefined, signal: AbortSignal | undefined) {
  const headers = { "x-ms-access-tier": tier };
  await server.text({ method: "PUT", key, query: { comp: "tier" }, headers, statuses: SET_TIER, signal });
}

async function setTags(
  server: Server,
  key: string,
  tags: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const rows = Object.entries(tags).map(
    ([name, value]) => `<Tag><Key>${escapeXml(name)}</Key><Value>${escapeXml(value)}</Value></Tag>`,
  );
  const body = Buffer.from(`<?xml version="1.0" encoding="utf-8"?><Tags><TagSet>${rows.join("")}</TagSet></Tags>`);
  const headers = { "content-type": "application/xml; charset=utf-8" };
  await server.text({ method: "PUT", key, query: { comp: "tags" }, headers, body, statuses: NO_CONTENT, signal });
}

export const ENCRYPTIONS: readonly EncryptionName[] = ["scope", "customerKey"];

/** Returns the same container for calls with this encryption. */
export function encryptedServer(server: Server, call: CallEncryption): Server {
  checkConfidential(call, server.origin);
  const { create, customerKey } = call;
  const made = create ? createHeaders(create) : customerKey ? keyHeaders(customerKey) : server.encryption;
  return server.with({ create: made.create, use: customerKey ? keyHeaders(customerKey).use : made.use });
}

function createHeaders({ scope, customerKey }: NonNullable<CallEncryption["create"]>): EncryptionHeaders {
  return customerKey ? keyHeaders(customerKey) : scopeHeaders(scope);
}

function keyHeaders(key: Secret): EncryptionHeaders {
  const headers = {
    "x-ms-encryption-key": key.reveal(),
    "x-ms-encryption-key-sha256": keySha256(key),
    "x-ms-encryption-algorithm": "AES256",
  };
  return { create: headers, use: headers };
}
