// https://opendal.apache.org/docs/bindings/nodejs ; 0.47.7 is the newest whose native library loads with GLIBC 2.36.
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Operator } from "opendal";

export async function open({ bucket, s3, gcs, azure }) {
  if (s3?.caFile) return { cannot: Object.fromEntries(["put", "get", "read", "write"].map((one) => [one, NO_CA])) };
  const client = s3 ? s3Operator(bucket, s3) : gcs ? gcsOperator(bucket, gcs) : azureOperator(bucket, azure);
  return {
    put: (key, data) => client.write(key, data),
    get: (key) => client.read(key),
    stat: (key) => client.stat(key),
    remove: (key) => client.delete(key),
    async write(key, chunks) {
      const writer = await client.writer(key, { chunk: BigInt(8 * 2 ** 20), concurrent: 8 });
      await pipeline(Readable.from(chunks, { objectMode: false }), writer.createWriteStream());
    },
    read: async (key) => (await client.reader(key)).createReadStream(),
    list: async (prefix) => (await client.list(prefix, { recursive: true })).length,
    removeTree: (prefix) => client.removeAll(prefix),
  };
}

const NO_CA = "trusts the public authorities only, and takes no certificate of one's own";

export function s3Operator(bucket, { endpoint, region, accessKey, secretKey }) {
  const keys = { access_key_id: accessKey, secret_access_key: secretKey };
  return new Operator("s3", {
    bucket,
    endpoint,
    region,
    ...keys,
    disable_config_load: "true",
    checksum_algorithm: "crc32c",
  });
}

function gcsOperator(bucket, { endpoint }) {
  return new Operator("gcs", {
    bucket,
    endpoint,
    allow_anonymous: "true",
    disable_vm_metadata: "true",
    disable_config_load: "true",
  });
}

function azureOperator(container, { endpoint, account, key }) {
  return new Operator("azblob", { container, endpoint, account_name: account, account_key: key });
}
