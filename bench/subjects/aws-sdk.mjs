// https://docs.aws.amazon.com/sdk-for-javascript/v3/developer-guide/javascript_s3_code_examples.html
import { Readable } from "node:stream";
import { createGunzip, createGzip } from "node:zlib";
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";

export async function open({ bucket, s3 }) {
  const client = new S3Client({
    endpoint: s3.endpoint,
    region: s3.region,
    forcePathStyle: true,
    credentials: { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey },
    requestHandler: { httpAgent: { maxSockets: 256 } },
  });
  const at = (Key) => ({ Bucket: bucket, Key });
  const pages = (Prefix) => paginateListObjectsV2({ client }, { Bucket: bucket, Prefix });
  return {
    codecs: ["gzip"],
    put: (key, Body) => client.send(new PutObjectCommand({ ...at(key), Body })),
    get: async (key) => (await client.send(new GetObjectCommand(at(key)))).Body.transformToByteArray(),
    stat: (key) => client.send(new HeadObjectCommand(at(key))),
    remove: (key) => client.send(new DeleteObjectCommand(at(key))),
    write(key, chunks, codec) {
      const plain = Readable.from(chunks, { objectMode: false });
      const Body = codec ? plain.pipe(createGzip()) : plain;
      return new Upload({ client, params: { ...at(key), Body }, partSize: 8 * 2 ** 20, queueSize: 4 }).done();
    },
    async read(key, codec) {
      const { Body } = await client.send(new GetObjectCommand(at(key)));
      return codec ? Body.pipe(createGunzip()) : Body;
    },
    async list(prefix) {
      let count = 0;
      for await (const { KeyCount } of pages(prefix)) count += KeyCount;
      return count;
    },
    async removeTree(prefix) {
      for await (const { Contents = [] } of pages(prefix)) {
        if (Contents.length === 0) continue;
        const Objects = Contents.map(({ Key }) => ({ Key }));
        await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }));
      }
    },
    async xcom(key, value) {
      const Body = Buffer.from(JSON.stringify(value));
      await new Upload({ client, params: { ...at(key), Body } }).done();
      const { Body: stored } = await client.send(new GetObjectCommand(at(key)));
      JSON.parse(await stored.transformToString());
    },
    close: () => client.destroy(),
  };
}
