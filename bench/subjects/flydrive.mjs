// https://flydrive.dev/docs/services/s3
import { Disk } from "flydrive";
import { S3Driver } from "flydrive/drivers/s3";

export const cannot = { write: "streams of unknown length are refused by S3: it sends one PutObject" };

export async function open({ bucket, s3 }) {
  const disk = new Disk(
    new S3Driver({
      endpoint: s3.endpoint,
      region: s3.region,
      forcePathStyle: true,
      supportsACL: false,
      credentials: { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey },
      bucket,
      visibility: "private",
    }),
  );
  return {
    cannot,
    put: (key, data) => disk.put(key, data),
    get: (key) => disk.getBytes(key),
    stat: (key) => disk.getMetaData(key),
    remove: (key) => disk.delete(key),
    read: (key) => disk.getStream(key),
    async list(prefix) {
      let count = 0;
      for (let paginationToken; ; ) {
        const page = await disk.listAll(prefix, { recursive: true, ...(paginationToken && { paginationToken }) });
        count += [...page.objects].length;
        paginationToken = page.paginationToken;
        if (!paginationToken) return count;
      }
    },
    removeTree: (prefix) => disk.deleteAll(prefix),
  };
}
