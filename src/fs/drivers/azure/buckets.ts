/** The containers of a storage account. */
import { failure, invalid } from "../../../errors.js";
import { type BucketPage, type BucketRefusal, bucketPages, onBucket, onDelete } from "../../driver/buckets.js";
import type { BucketService, DriverBucket } from "../../driver/driver.js";
import type { HttpError } from "../../http/errors.js";
import { type Fields, readXml } from "../../http/xml.js";
import type { Server } from "./client.js";

const CONTAINER = { restype: "container" };

export function bucketService(server: Server): BucketService {
  return {
    list: ({ signal }) =>
      bucketPages(async (marker) => {
        const query = { comp: "list", maxresults: "1000", marker };
        return pageOf((await server.text({ method: "GET", bucket: "", key: "", query, signal })).text);
      }),
    async create(bucket, { region, signal }) {
      checkName(bucket);
      if (region !== undefined) throw failure("Unsupported", "a container is in the region of its storage account");
      await onBucket(() => server.text({ method: "PUT", bucket, key: "", query: CONTAINER, signal }), refusalOf);
    },
    async delete(bucket, { signal }) {
      checkName(bucket);
      await checkEmpty(server, bucket, signal);
      await onDelete(() => server.text({ method: "DELETE", bucket, key: "", query: CONTAINER, signal }), refusalOf);
    },
  };
}

/** The service deletes a container with all that is in it, and has no condition against that. */
async function checkEmpty(server: Server, bucket: string, signal: AbortSignal | undefined): Promise<void> {
  let marker: string | undefined;
  do {
    const include = "snapshots,versions,uncommittedblobs";
    const query = { ...CONTAINER, comp: "list", maxresults: "1", include, marker };
    const { text } = await server.text({ method: "GET", bucket, key: "", query, signal });
    const { rows, fields } = readXml(text, "EnumerationResults", { "Blobs/Blob": () => true });
    if (rows.length > 0) throw failure("PreconditionFailed", "the container is not empty");
    if (fields.NextMarker !== undefined && fields.NextMarker === marker)
      throw failure("Corrupt", "the server repeats a page of the listing");
    marker = fields.NextMarker || undefined;
  } while (marker !== undefined);
}

/** https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata */
const NAME = /^(?:(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]|\$root|\$web)$/;

function checkName(name: string): void {
  if (NAME.test(name)) return;
  const rule = "3 to 63 lower-case letters, digits and single hyphens, between letters or digits";
  throw invalid(`${JSON.stringify(name)} is not a valid Azure container name: ${rule}`);
}

function refusalOf({ code }: HttpError): BucketRefusal | undefined {
  if (code === "ContainerAlreadyExists") return "own";
  if (code === "ContainerNotFound") return "missing";
  return code === "ContainerBeingDeleted" ? "busy" : undefined;
}

function pageOf(text: string): BucketPage {
  const { rows, fields } = readXml(text, "EnumerationResults", { "Containers/Container": container });
  if (rows.length === 0 && fields.Containers === undefined)
    throw failure("Corrupt", "the server's answer is no list of containers: it has no Containers");
  return { rows, next: fields.NextMarker || undefined };
}

/** `Last-Modified` is the time of the last change of the container, not that of its creation. */
function container({ Name = "" }: Fields): DriverBucket {
  return { name: Name };
}
