// OpenDAL by its reader's own method: its Node stream, which its documentation shows, costs several times as much.
import { open as openStream, s3Operator } from "./opendal.mjs";

const CHUNK = 256 * 1024;

export async function open(target) {
  const subject = await openStream(target);
  if (subject.cannot) return subject;
  const client = s3Operator(target.bucket, target.s3);
  return {
    ...subject,
    async *read(key) {
      const reader = await client.reader(key);
      for (;;) {
        const into = Buffer.allocUnsafeSlow(CHUNK);
        const size = Number(await reader.read(into));
        if (size === 0) return;
        yield into.subarray(0, size);
      }
    },
  };
}
