// https://github.com/Azure/azure-sdk-for-js/tree/main/sdk/storage/storage-blob
import { Readable } from "node:stream";
import { createGunzip, createGzip } from "node:zlib";
import { BlobServiceClient } from "@azure/storage-blob";

export async function open({ bucket, azure: { connectionString } }) {
  const container = BlobServiceClient.fromConnectionString(connectionString).getContainerClient(bucket);
  const at = (key) => container.getBlockBlobClient(key);
  return {
    codecs: ["gzip"],
    put: (key, data) => at(key).uploadData(data),
    get: (key) => at(key).downloadToBuffer(),
    stat: (key) => at(key).getProperties(),
    remove: (key) => at(key).delete(),
    write(key, chunks, codec) {
      const plain = Readable.from(chunks, { objectMode: false });
      return at(key).uploadStream(codec ? plain.pipe(createGzip()) : plain, 8 * 2 ** 20, 4);
    },
    async read(key, codec) {
      const { readableStreamBody } = await at(key).download();
      return codec ? readableStreamBody.pipe(createGunzip()) : readableStreamBody;
    },
    async list(prefix) {
      let count = 0;
      for await (const _ of container.listBlobsFlat({ prefix })) count++;
      return count;
    },
  };
}
