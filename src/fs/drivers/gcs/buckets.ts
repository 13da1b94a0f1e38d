/** The buckets of a project. */
import { failure, invalid } from "../../../errors.js";
import { type BucketRefusal, bucketPages, onBucket, onDelete } from "../../driver/buckets.js";
import type { BucketService, DriverBucket } from "../../driver/driver.js";
import { dateInRow } from "../../driver/listing.js";
import type { HttpError } from "../../http/errors.js";
import { isDocument, listOf, textOf } from "../../http/json.js";
import { encodeComponent } from "../../signing/sigv4.js";
import type { Server } from "./client.js";

/** `projectOf` returns the project of the connection or of its credentials. */
export function bucketService(api: Server, projectOf: () => Promise<string | undefined>): BucketService {
  const buckets = `${api.place.base}/storage/v1/b`;
  const projectId = async () => {
    const project = await projectOf();
    if (project) return project;
    throw invalid("the buckets of Google Cloud Storage belong to a project: set the field project of the connection");
  };
  return {
    async *list({ signal }) {
      const project = await projectId();
      const fields = "kind,nextPageToken,items(name,timeCreated,location)";
      yield* bucketPages(async (pageToken) => {
        const query = { project, maxResults: "1000", fields, pageToken };
        const page = await api.json({ method: "GET", path: buckets, query, signal });
        return { rows: listOf(page, "items").map(bucket), next: textOf(page, "nextPageToken") || undefined };
      });
    },
    async create(name, { region: location, signal }) {
      checkName(name);
      if (location !== undefined && !/^[A-Za-z0-9-]{1,64}$/.test(location))
        throw invalid(`${JSON.stringify(location)} is no region`);
      const body = Buffer.from(JSON.stringify({ name, location }));
      const headers = { "content-type": "application/json" };
      const query = { project: await projectId() };
      const ask = { method: "POST", path: buckets, query, headers, body, signal };
      await onBucket(() => api.text(ask), refusalOf);
    },
    async delete(name, { signal }) {
      checkName(name);
      const path = `${buckets}/${encodeComponent(name)}`;
      const ask = { method: "DELETE", path, statuses: [200, 204], signal };
      await onDelete(() => api.text(ask), refusalOf);
    },
  };
}

/** https://cloud.google.com/storage/docs/buckets#naming */
const NAME = /^(?!goog|.*(?:\.\.|\.-|-\.|google))[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/;

function checkName(name: string): void {
  if (NAME.test(name) && !/^\d+\.\d+\.\d+\.\d+$/.test(name) && name.split(".").every((part) => part.length <= 63))
    return;
  const rule = "3 to 63 lower-case letters, digits, hyphens, underscores and dots, between letters or digits";
  throw invalid(`${JSON.stringify(name)} is not a valid Google Cloud Storage bucket name: ${rule}`);
}

/** Only the message tells the conflicts apart. https://cloud.google.com/storage/docs/json_api/v1/status-codes#409-conflict */
function refusalOf({ status, code, detail }: HttpError): BucketRefusal | undefined {
  if (status === 404) return code === "notFound" ? "missing" : undefined;
  // fake-gcs-server answers 412.
  if ((status === 409 || status === 412) && /not empty/i.test(detail)) return "full";
  if (status !== 409) return undefined;
  return /not available/i.test(detail) ? "taken" : "own";
}

function bucket(row: unknown): DriverBucket {
  if (!isDocument(row)) throw failure("Corrupt", "the list of buckets has a row that is no object");
  const region = textOf(row, "location");
  const created = dateInRow(textOf(row, "timeCreated"));
  return { name: textOf(row, "name") ?? "", created, ...(region && { region }) };
}
