// https://www.npmjs.com/package/files-sdk
import { Readable } from "node:stream";
import { Files } from "files-sdk";
import { s3 as s3Adapter } from "files-sdk/s3";

export async function open({ bucket, s3 }) {
  const adapter = s3Adapter({
    bucket,
    endpoint: s3.endpoint,
    region: s3.region,
    forcePathStyle: true,
    credentials: { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey },
  });
  const files = new Files({ adapter });
  return {
    put: (key, data) => files.upload(key, data),
    get: async (key) => new Uint8Array(await (await files.download(key)).arrayBuffer()),
    stat: (key) => files.head(key),
    remove: (key) => files.delete(key),
    write: (key, chunks) => files.upload(key, Readable.toWeb(Readable.from(chunks, { objectMode: false }))),
    read: async (key) => (await files.download(key, { as: "stream" })).stream(),
    async list(prefix) {
      let count = 0;
      for await (const _ of files.listAll({ prefix })) count++;
      return count;
    },
    async removeTree(prefix) {
      const keys = [];
      for await (const { key } of files.listAll({ prefix })) keys.push(key);
      await files.delete(keys);
    },
  };
}
