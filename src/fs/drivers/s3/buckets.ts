/** The buckets of an account. */
import { failure, invalid } from "../../../errors.js";
import { type BucketPage, type BucketRefusal, bucketPages, onBucket, onDelete } from "../../driver/buckets.js";
import type { BucketService, DriverBucket } from "../../driver/driver.js";
import { dateInRow } from "../../driver/listing.js";
import { HttpError } from "../../http/errors.js";
import { type Fields, readXml } from "../../http/xml.js";
import { canonicalQuery } from "../../signing/sigv4.js";
import { type BucketClient, USUAL_REGION } from "./client.js";

export interface ServiceOptions {
  /** Opens a client for one verb; with a region, at its endpoint if that is AWS's own. */
  open(region: string | undefined): Promise<BucketClient>;
  /** The region of the connection. */
  region: string | undefined;
  /** Whether this is AWS itself. */
  amazon: boolean;
}

/** Returns the verbs about buckets. Each has a client of its own: one that is redirected to a region stays there. */
export function bucketService({ open, region: usual, amazon }: ServiceOptions): BucketService {
  return {
    async *list({ signal }) {
      const client = await open(undefined);
      try {
        yield* bucketPages(async (mark) => {
          const query: [string, string][] = mark === undefined ? [] : [["continuation-token", mark]];
          // Other services list all, and some refuse what they do not know.
          if (amazon) query.push(["max-buckets", "1000"]);
          const { text } = await client.text({ method: "GET", key: "", query: canonicalQuery(query), signal });
          return pageOf(text);
        });
      } finally {
        client.close();
      }
    },
    async create(name, { region = usual, signal }) {
      checkName(name);
      const place = constraint(region, amazon);
      // MinIO takes a body of unknown length for a document.
      const body = place ?? Buffer.alloc(0);
      const client = await open(region);
      try {
        // There, AWS answers 200 for a bucket of the same account, and resets its access control lists.
        if (amazon && place === undefined && (await isThere(client, name, signal)))
          throw failure("AlreadyExists", "this account has the bucket already");
        const ask = { method: "PUT", bucket: name, key: "", body, signal } as const;
        await onBucket(() => client.text(ask), refusalOf);
      } finally {
        client.close();
      }
    },
    async delete(name, { signal }) {
      if (!LEGACY.test(name)) throw invalid(`${JSON.stringify(name)} is not a valid S3 bucket name`);
      const client = await open(undefined);
      try {
        await onDelete(() => client.text({ method: "DELETE", bucket: name, key: "", signal }), refusalOf);
      } finally {
        client.close();
      }
    },
  };
}

async function isThere(client: BucketClient, bucket: string, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await client.text({ method: "HEAD", bucket, key: "", signal });
    return true;
  } catch (error) {
    // A bucket of another account, or of another region, is refused by the PUT, with the reason.
    if (error instanceof HttpError && error.kind === "answer" && error.status < 500) return false;
    throw error;
  }
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const NAME =
  /^(?!xn--|sthree-|amzn-s3-demo-|.*(?:\.\.|-s3alias$|--ol-s3$|--x-s3$|--table-s3$|\.mrap$))[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const ADDRESS = /^\d+\.\d+\.\d+\.\d+$/;
/** Buckets of us-east-1 from before March 2018 may have such names. */
const LEGACY = /^(?!\.{1,2}$)[A-Za-z0-9._-]{3,255}$/;

function checkName(name: string): void {
  if (NAME.test(name) && !ADDRESS.test(name)) return;
  const rule = "3 to 63 lower-case letters, digits, dots and hyphens, between letters or digits";
  throw invalid(`${JSON.stringify(name)} is not a valid S3 bucket name: ${rule}`);
}

const REGION = /^[a-zA-Z0-9-]{1,64}$/;

/**
 * Returns the document that names the region; none for AWS's first one, which has no name, and none without a region.
 */
function constraint(region: string | undefined, amazon: boolean): Buffer | undefined {
  if (region === undefined || region === USUAL_REGION) return undefined;
  if (!REGION.test(region)) throw invalid(`${JSON.stringify(region)} is no region`);
  // Other services check it against the name that they give themselves, which is seldom that of the signature.
  if (!amazon) return undefined;
  const xmlns = "http://s3.amazonaws.com/doc/2006-03-01/";
  return Buffer.from(
    `<CreateBucketConfiguration xmlns="${xmlns}"><LocationConstraint>${region}</LocationConstraint></CreateBucketConfiguration>`,
  );
}

function refusalOf({ status, code }: HttpError): BucketRefusal | undefined {
  if (code === "BucketAlreadyOwnedByYou") return "own";
  if (code === "BucketAlreadyExists") return "taken";
  if (code === "BucketNotEmpty") return "full";
  if (code === "NoSuchBucket") return "missing";
  return status === 409 ? "busy" : undefined;
}

function pageOf(text: string): BucketPage {
  const { rows, fields } = readXml(text, undefined, { "Buckets/Bucket": bucket });
  if (rows.length === 0 && fields.Buckets === undefined)
    throw failure("Corrupt", "the server's answer is no list of buckets: it has no Buckets");
  return { rows, next: fields.ContinuationToken || undefined };
}

function bucket({ Name = "", CreationDate, BucketRegion }: Fields): DriverBucket {
  return { name: Name, created: dateInRow(CreationDate), ...(BucketRegion && { region: BucketRegion }) };
}
