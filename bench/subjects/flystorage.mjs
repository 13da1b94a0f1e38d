// https://github.com/duna-oss/flystorage
import { Readable } from "node:stream";
import { S3Client } from "@aws-sdk/client-s3";
import { AwsS3StorageAdapter } from "@flystorage/aws-s3";
import { FileStorage } from "@flystorage/file-storage";

export async function open({ bucket, s3 }) {
  const client = new S3Client({
    endpoint: s3.endpoint,
    region: s3.region,
    forcePathStyle: true,
    credentials: { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey },
    requestHandler: { httpAgent: { maxSockets: 256 } },
  });
  const storage = new FileStorage(new AwsS3StorageAdapter(client, { bucket }));
  return {
    put: (key, data) => storage.write(key, data),
    get: (key) => storage.readToUint8Array(key),
    stat: (key) => storage.stat(key),
    remove: (key) => storage.deleteFile(key),
    write: (key, chunks) => storage.write(key, Readable.from(chunks, { objectMode: false })),
    read: (key) => storage.read(key),
    async list(prefix) {
      let count = 0;
      for await (const _ of storage.list(prefix, { deep: true })) count++;
      return count;
    },
    removeTree: (prefix) => storage.deleteDirectory(prefix),
    close: () => client.destroy(),
  };
}
