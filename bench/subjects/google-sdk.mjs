// https://github.com/googleapis/nodejs-storage
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { Storage } from "@google-cloud/storage";

export async function open({ bucket: name, gcs: { endpoint, project } }) {
  const client = new Storage({ apiEndpoint: endpoint, projectId: project });
  // The emulator takes everybody; the library would look for credentials.
  client.authClient.getRequestHeaders = async () => ({});
  client.authClient.getAccessToken = async () => "none";
  client.authClient.request = undefined;
  const bucket = client.bucket(name);
  return {
    codecs: ["gzip"],
    put: (key, data) => bucket.file(key).save(data, { resumable: false }),
    get: async (key) => (await bucket.file(key).download())[0],
    stat: (key) => bucket.file(key).getMetadata(),
    remove: (key) => bucket.file(key).delete(),
    write: (key, chunks, codec) => {
      const plain = Readable.from(chunks, { objectMode: false });
      return pipeline([plain, ...(codec ? [createGzip()] : []), bucket.file(key).createWriteStream()]);
    },
    async read(key, codec) {
      const plain = bucket.file(key).createReadStream({ decompress: false });
      return codec ? plain.pipe(createGunzip()) : plain;
    },
    list: async (prefix) => (await bucket.getFiles({ prefix }))[0].length,
    removeTree: (prefix) => bucket.deleteFiles({ prefix }),
  };
}
