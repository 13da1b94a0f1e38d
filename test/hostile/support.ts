/** Servers on this machine that answer as no good one does, and the drivers that ask them. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { S3Client } from "@aws-sdk/client-s3";
import { afterEach } from "vitest";
import { resolveConnections } from "../../src/connections/index.js";
import { openGcs } from "../../src/fs/drivers/gcs/open.js";
import { s3 as s3Factory } from "../../src/fs/drivers/s3/index.js";
import { openDriver as openAzureDriver } from "../support/azure.js";
import { openDriver as openS3Driver } from "../support/s3.js";
import { SHARED, TestDriver } from "../support/test-driver.js";

export interface Asked {
  method: string;
  url: URL;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface Reply {
  status?: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Bytes of the body after which the connection is cut. */
  cutAfter?: number;
}

/** `count` is 1 for the first request. */
export type Script = (asked: Asked, count: number) => Reply;

export interface Hostile {
  endpoint: string;
  asked: Asked[];
}

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A server that answers by `script`; gone after the test. */
export async function hostile(script: Script): Promise<Hostile> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const { method = "", headers } = request;
    const body = await buffer(request).catch(() => undefined);
    // A client that goes away is an event of the test.
    if (!body) return;
    const one = { method, url: new URL(request.url ?? "/", "http://x"), headers, body };
    asked.push(one);
    const { status = 200, headers: own = {}, body: text = "", cutAfter } = script(one, asked.length);
    const bodiless = method === "HEAD" || status === 204 || status === 304;
    const length = bodiless ? {} : { "content-length": String(Buffer.byteLength(text)) };
    response.writeHead(status, { ...length, ...own });
    if (cutAfter !== undefined) response.write(Buffer.from(text).subarray(0, cutAfter), () => response.destroy());
    else response.end(bodiless ? undefined : text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

export const DATA = "0123456789";
const MODIFIED = "Sun, 01 Feb 2026 00:00:00 GMT";
const ISO = "2026-02-01T00:00:00Z";
export const PAGE = "<!DOCTYPE html><html><head><title>Log in</title></head><body><p>Please log in</p></body></html>";

/** One row of a listing as a server tells it; what is left out is as it should be. */
export interface Row {
  key?: string;
  size?: string;
  modified?: string;
}
export interface Listed {
  rows?: Row[];
  directories?: string[];
  /** Mark of the next page. */
  next?: string;
}

export type Verb = "read" | "stat" | "list" | "write" | "copy" | "delete" | "deleteBatch";

export interface Cloud {
  name: string;
  open(endpoint: string): Promise<TestDriver>;
  /** The right answer to each verb. */
  good: Readonly<Record<Verb, Reply>>;
  /** The service's answer to a verb on an object that it does not have. */
  missing: Reply;
  /** The statuses that each verb may have; `good` has one of them. */
  statuses: Readonly<Record<Verb, readonly number[]>>;
  /** The header that says which version an object is. */
  versionHeader: string;
  listing(listed: Listed): Reply;
  /** The query parameter with the mark of a page. */
  mark: string;
}

const DONE = { read: [200], stat: [200], list: [200], write: [200], copy: [200], delete: [204], deleteBatch: [200] };

const xmlRow = ({ key = "d/a", size = "1", modified = ISO }: Row) =>
  `<Contents><Key>${key}</Key><Size>${size}</Size><LastModified>${modified}</LastModified><ETag>"e"</ETag></Contents>`;

const s3: Cloud = {
  name: "s3",
  open: (endpoint) =>
    openS3Driver("bucket", {
      type: "aws",
      login: "user",
      password: "secret",
      extra: { endpoint_url: endpoint, provider: "minio", config_kwargs: { retries: { total_max_attempts: 2 } } },
    }),
  statuses: DONE,
  missing: { status: 404, body: "<Error><Code>NoSuchKey</Code><Message>no</Message></Error>" },
  good: {
    read: { headers: { etag: '"e"', "last-modified": MODIFIED }, body: DATA },
    stat: { headers: { etag: '"e"', "last-modified": MODIFIED, "content-length": "10" } },
    list: { body: "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>" },
    write: { headers: { etag: '"e"' } },
    copy: { body: '<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>' },
    delete: { status: 204 },
    deleteBatch: { body: "<DeleteResult/>" },
  },
  versionHeader: "etag",
  listing: ({ rows = [], directories = [], next }) => {
    const prefixes = directories.map((one) => `<CommonPrefixes><Prefix>${one}</Prefix></CommonPrefixes>`);
    const token = next === undefined ? "" : `<NextContinuationToken>${next}</NextContinuationToken>`;
    const head = `<IsTruncated>${next !== undefined}</IsTruncated>${token}`;
    return { body: `<ListBucketResult>${head}${rows.map(xmlRow).join("")}${prefixes.join("")}</ListBucketResult>` };
  },
  mark: "continuation-token",
};

const s3Client: Cloud = {
  ...s3,
  name: "s3.fromClient",
  open: async (endpoint) => {
    const credentials = { accessKeyId: "user", secretAccessKey: "secret" };
    const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, maxAttempts: 1, credentials });
    closing.push(async () => client.destroy());
    return TestDriver.open(s3Factory.fromClient(client, { provider: "minio" }).open, "bucket");
  },
};

const gcs: Cloud = {
  name: "gcs",
  open: async (endpoint) => {
    const extra = { is_anonymous: true, "gcs.endpoint": endpoint, num_retries: 2 };
    const connection = await resolveConnections({ it: { type: "google_cloud_platform", extra } }, {}).get("it");
    return new TestDriver(await openGcs("bucket", connection, SHARED));
  },
  statuses: { ...DONE, delete: [200, 204] },
  missing: { status: 404, body: '{"error":{"code":404,"message":"No such object: bucket/k"}}' },
  good: {
    read: { headers: { "x-goog-generation": "1", "last-modified": MODIFIED }, body: DATA },
    stat: { body: JSON.stringify({ name: "k", size: "10", generation: "1", updated: ISO }) },
    list: { body: JSON.stringify({ kind: "storage#objects" }) },
    write: { body: JSON.stringify({ generation: "1" }) },
    copy: { body: JSON.stringify({ done: true, resource: { generation: "1" } }) },
    delete: { status: 204 },
    deleteBatch: { body: batch("HTTP/1.1 204 No Content") },
  },
  versionHeader: "x-goog-generation",
  listing: ({ rows = [], directories = [], next }) => {
    const items = rows.map(({ key = "d/a", size = "1", modified = ISO }) => ({
      ...{ name: key, size, updated: modified, generation: "1" },
    }));
    return { body: JSON.stringify({ kind: "storage#objects", items, prefixes: directories, nextPageToken: next }) };
  },
  mark: "pageToken",
};

const azure: Cloud = {
  name: "azure",
  open: (endpoint) => {
    const key = Buffer.alloc(32).toString("base64");
    const text = `DefaultEndpointsProtocol=http;AccountName=acc;AccountKey=${key};BlobEndpoint=${endpoint}/acc;`;
    return openAzureDriver("bucket", { type: "wasb", extra: { connection_string: text } });
  },
  missing: { status: 404, headers: { "x-ms-error-code": "BlobNotFound" } },
  statuses: { ...DONE, write: [201], copy: [202], delete: [202], deleteBatch: [202] },
  good: {
    read: { headers: { etag: '"e"', "last-modified": MODIFIED }, body: DATA },
    stat: { headers: { etag: '"e"', "last-modified": MODIFIED, "content-length": "10" } },
    list: { body: "<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>" },
    write: { status: 201, headers: { etag: '"e"' } },
    copy: { status: 202, headers: { etag: '"e"', "x-ms-copy-id": "1", "x-ms-copy-status": "success" } },
    delete: { status: 202 },
    deleteBatch: { status: 202, body: batch("HTTP/1.1 202 Accepted") },
  },
  versionHeader: "etag",
  listing: ({ rows = [], directories = [], next = "" }) => {
    const blobs = rows.map(({ key = "d/a", size = "1", modified = MODIFIED }) => {
      const properties = `<Content-Length>${size}</Content-Length><Last-Modified>${modified}</Last-Modified>`;
      return `<Blob><Name>${key}</Name><Properties>${properties}<Etag>e</Etag></Properties></Blob>`;
    });
    const prefixes = directories.map((one) => `<BlobPrefix><Name>${one}</Name></BlobPrefix>`);
    const inside = `<Blobs>${blobs.join("")}${prefixes.join("")}</Blobs><NextMarker>${next}</NextMarker>`;
    return { body: `<EnumerationResults>${inside}</EnumerationResults>` };
  },
  mark: "marker",
};

function batch(line: string): string {
  const parts = [0, 1].map((id) => `--b\r\ncontent-type: application/http\r\ncontent-id: ${id}\r\n\r\n${line}\r\n\r\n`);
  return `${parts.join("")}--b--\r\n`;
}

export const CLOUDS: readonly Cloud[] = [s3, gcs, azure];
/** With the twin on S3's official client, which hands on what it is answered. */
export const LISTING_CLOUDS: readonly Cloud[] = [s3, s3Client, gcs, azure];

/** What the caller of each verb does. */
export const VERBS: Readonly<Record<Verb, (subject: TestDriver) => Promise<unknown>>> = {
  read: (subject) => subject.text("k"),
  stat: (subject) => subject.stat("k"),
  list: (subject) => subject.keys(""),
  write: (subject) => subject.write("k", DATA),
  copy: (subject) => subject.copy("k", "l", { bucket: "bucket" }),
  delete: (subject) => subject.delete("k"),
  deleteBatch: (subject) => subject.delete("k", "l"),
};

/** A driver of `cloud` on a server that answers by `script`. */
export async function on(cloud: Cloud, script: Script): Promise<{ subject: TestDriver; asked: Asked[] }> {
  const { endpoint, asked } = await hostile(script);
  const subject = await cloud.open(endpoint);
  closing.push(() => subject.driver.close());
  return { subject, asked };
}

/** The code by which a caller of the library would see the failure of `work`; undefined when it does not fail. */
export async function codeOf(subject: TestDriver, work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    const { name, code } = error as { name: string; code: string };
    if (name === "TypeError") throw error;
    if (name === "StorageError") return code;
    return subject.driver.codeOf(error, { op: "write", ifAbsent: false, ifMatch: false });
  }
}

export const RETRYABLE: readonly (string | undefined)[] = ["Unavailable", "Timeout", "Throttled"];
