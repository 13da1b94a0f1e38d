import { createHash } from "node:crypto";
import type { Doomed } from "../../driver.js";
import { escaped } from "../../xml.js";
import { parsed } from "../../xml-rows.js";
import type { Bucket } from "./bucket.js";
import type { DeleteRoute, FailedRow } from "./delete.js";
import { removeObject } from "./delete-each.js";

type Signal = AbortSignal | undefined;

/** Nothing else tells a quiet success from a page of something that is no S3. */
const DELETED = /^Delete\w*(?:Result|Output|Response)$/;

export class HttpDelete implements DeleteRoute {
  constructor(readonly bucket: Bucket) {}

  get bulk(): boolean {
    return this.bucket.profile.bulkDelete;
  }

  one(object: Doomed, signal: Signal): Promise<void> {
    return removeObject(this.bucket, object, signal);
  }

  async many(objects: readonly Doomed[], signal: Signal): Promise<FailedRow[]> {
    const body = Buffer.from(`<Delete><Quiet>true</Quiet>${objects.map(row).join("")}</Delete>`);
    // Content-MD5 is the one checksum that every service takes here, where one is required.
    const md5 = createHash("md5").update(body).digest("base64");
    const headers = { "content-md5": md5, "content-type": "application/xml" };
    const ask = { method: "POST", key: "", query: "delete=", headers, body, signal } as const;
    const { text } = await this.bucket.client.text(ask);
    return parsed(text, DELETED, { Error: (row): FailedRow => row }).rows;
  }
}

function row({ key, version }: Doomed): string {
  const which = version === undefined ? "" : `<VersionId>${escaped(version)}</VersionId>`;
  return `<Object><Key>${escaped(key)}</Key>${which}</Object>`;
}
