import { invalid } from "../../../errors.js";

/** Control characters and backslashes, and segments that end with a dot, `.` and `..` among them. */
const RENAMED = /[\u0000-\u001f\u007f-\u009f\\]|\.(?:\/|$)/;

/**
 * The key, if the service keeps it as it is. It takes others too, and stores them under another name, over what may be
 * there: `a/../b` as `b`, `./a` as `a`, `a.` as `a`, `a\b` as `a/b`, in every way of encoding them.
 * https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata and
 * https://github.com/Azure/azure-sdk-for-rust/issues/5275
 */
export function faithful(key: string): string {
  if (!RENAMED.test(key)) return key;
  throw invalid(
    "Azure would store the key under another name: it takes no control character, no backslash, and no dot at the end of a segment",
  );
}
