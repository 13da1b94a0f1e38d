/** Whether the bucket can be reached and listed. */
import { isStorageError } from "../../errors.js";
import type { StoragePath } from "../../path.js";
import type { Session } from "../session.js";
import { broken, type Finding, ok } from "./finding.js";
import { mendOf } from "./mend.js";

export async function lookAtBucket(session: Session, at: StoragePath): Promise<{ finding: Finding; usable: boolean }> {
  const { storage, signal } = session;
  try {
    let found = "nothing is below the path yet";
    for await (const entry of storage.list(at, { signal })) {
      found = `for example ${entry.path.relativeTo(at)}`;
      break;
    }
    return { finding: ok("bucket", `reached and listed: ${found}`), usable: true };
  } catch (error) {
    const finding = broken("bucket", error, signal, mendOf(error, "list", at));
    // Who may not list may still be allowed to write, which is enough for many.
    return { finding, usable: isStorageError(error, "PermissionDenied") };
  }
}
