/**
 * Buckets that a suite makes for itself and removes with all that is in them, and a look at what uploads left behind.
 * All of it goes through the providers' own clients, never through the library under test.
 */
import { randomBytes } from "node:crypto";

/** @typedef {Omit<import("./minio.mjs").S3Server, "stop">} S3Server */
/** @typedef {Omit<import("./fake-gcs.mjs").GcsServer, "stop">} GcsServer */
/** @typedef {Omit<import("./azurite.mjs").AzureServer, "stop">} AzureServer */
/**
 * @typedef {object} Bucket
 * @property {string} name
 * @property {() => Promise<string[]>} openUploads keys of uploads that were begun and neither committed nor aborted.
 *   Always empty on GCS, which has no such listing.
 * @property {() => Promise<void>} remove
 */

/** Makes an empty bucket with a name of its own. @param {S3Server | GcsServer | AzureServer} server @param {{ versioned?: boolean }} [options] @returns {Promise<Bucket>} */
export async function makeBucket(server, { versioned = false } = {}) {
  const name = `stowage-${randomBytes(6).toString("hex")}`;
  if (server.kind === "s3") return makeS3(server, name, versioned);
  if (server.kind === "gcs") return makeGcs(server, name, versioned);
  return makeAzure(server, name);
}

/** An official client of the server. @param {S3Server} server */
export async function s3Client(server) {
  const { S3Client } = await import("@aws-sdk/client-s3");
  return new S3Client({
    endpoint: server.endpoint,
    region: server.region,
    forcePathStyle: true,
    credentials: { accessKeyId: server.accessKey, secretAccessKey: server.secretKey },
    ...(server.ca ? { requestHandler: { httpsAgent: { ca: server.ca } } } : {}),
  });
}

/** An official client of the server. @param {GcsServer} server */
export async function gcsClient(server) {
  const { Storage } = await import("@google-cloud/storage");
  const credentials = server.keyFile ? { keyFilename: server.keyFile } : {};
  const client = new Storage({ apiEndpoint: server.endpoint, projectId: server.project, ...credentials });
  if (!server.keyFile) client.authClient = anonymous(client.authClient);
  return client;
}

/** An official client of the account. @param {AzureServer} server */
export async function azureClient(server) {
  const { BlobServiceClient } = await import("@azure/storage-blob");
  return BlobServiceClient.fromConnectionString(server.connectionString);
}

/** @param {S3Server} server @param {string} Bucket @param {boolean} versioned @returns {Promise<Bucket>} */
async function makeS3(server, Bucket, versioned) {
  const s3 = await import("@aws-sdk/client-s3");
  const client = await s3Client(server);
  const constraint = /** @type {import("@aws-sdk/client-s3").BucketLocationConstraint} */ (server.region);
  const elsewhere = server.external && server.region !== "us-east-1";
  const at = elsewhere ? { CreateBucketConfiguration: { LocationConstraint: constraint } } : {};
  await client.send(new s3.CreateBucketCommand({ Bucket, ...at }));
  if (versioned) {
    const enabled = { Bucket, VersioningConfiguration: { Status: /** @type {const} */ ("Enabled") } };
    await client.send(new s3.PutBucketVersioningCommand(enabled));
  }
  const uploads = async () => (await client.send(new s3.ListMultipartUploadsCommand({ Bucket }))).Uploads ?? [];
  const remove = async () => {
    for (const { Key, UploadId } of await uploads()) {
      await client.send(new s3.AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    }
    await emptyS3(s3, client, Bucket);
    await client.send(new s3.DeleteBucketCommand({ Bucket }));
    client.destroy();
  };
  return { name: Bucket, openUploads: async () => (await uploads()).map(({ Key }) => Key ?? ""), remove };
}

/** @param {typeof import("@aws-sdk/client-s3")} s3 @param {import("@aws-sdk/client-s3").S3Client} client @param {string} Bucket */
async function emptyS3(s3, client, Bucket) {
  for (;;) {
    const page = await client.send(new s3.ListObjectVersionsCommand({ Bucket }));
    const found = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
    if (found.length === 0) return;
    const Objects = found.map(({ Key, VersionId }) => ({ Key, VersionId }));
    await client.send(new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }));
  }
}

/** @param {GcsServer} server @param {string} name @param {boolean} versioned @returns {Promise<Bucket>} */
async function makeGcs(server, name, versioned) {
  const client = await gcsClient(server);
  const [bucket] = await client.createBucket(name, versioned ? { versioning: { enabled: true } } : {});
  const remove = async () => {
    await bucket.deleteFiles({ force: true, versions: versioned });
    await bucket.delete();
  };
  return { name, openUploads: async () => [], remove };
}

/** Google's client looks for credentials even where none are wanted. @param {import("@google-cloud/storage").Storage["authClient"]} auth */
function anonymous(auth) {
  return Object.assign(Object.create(auth), {
    getRequestHeaders: async () => ({}),
    getAccessToken: async () => "none",
  });
}

/** @param {AzureServer} server @param {string} name @returns {Promise<Bucket>} */
async function makeAzure(server, name) {
  const container = (await azureClient(server)).getContainerClient(name);
  await container.create();
  const openUploads = async () => {
    const open = [];
    const committed = new Set();
    for await (const blob of container.listBlobsFlat()) committed.add(blob.name);
    for await (const blob of container.listBlobsFlat({ includeUncommitedBlobs: true })) {
      if (!committed.has(blob.name)) open.push(blob.name);
    }
    return open;
  };
  return { name, openUploads, remove: async () => void (await container.delete()) };
}
