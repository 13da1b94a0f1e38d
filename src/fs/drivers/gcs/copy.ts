import { failure } from "../../../errors.js";
import type { DriverCopyOptions, WriteResult } from "../../driver/driver.js";
import { HttpError } from "../../http/errors.js";
import { documentOf, textOf } from "../../http/json.js";
import type { Server } from "./client.js";
import { fieldsOf, generationOf, storedResult } from "./object.js";

/** Milliseconds: one step of a large copy takes up to half a minute to respond. */
const STEP = 90_000;

/** Copies inside the service, in as many steps as needed, all of the version that the first has seen. */
export async function copyObject(
  api: Server,
  from: { bucket: string; key: string },
  to: string,
  { ifAbsent, ifMatch, attributes, signal }: DriverCopyOptions,
): Promise<WriteResult> {
  if (ifAbsent && !api.place.google) throw failure("Unsupported", "this server ignores ifAbsent on a copy");
  const path = api.rewrite(from, to);
  const conditions = {
    ifGenerationMatch: ifAbsent ? "0" : undefined,
    ifSourceGenerationMatch: generationOf(ifMatch),
    destinationKmsKeyName: api.place.kmsKeyName,
    fields: "done,rewriteToken,resource(generation)",
  };
  const { create, source } = api.place.keys ?? {};
  const keys = { ...source, ...create };
  // Without a body the copy has the attributes of its source, but the storage class of the bucket.
  const resource = attributes && {
    headers: { ...keys, "content-type": "application/json; charset=UTF-8" },
    body: Buffer.from(JSON.stringify(fieldsOf(attributes))),
  };
  let rewriteToken: string | undefined;
  try {
    for (;;) {
      const query = { ...conditions, rewriteToken };
      const step = await api.json({
        method: "POST",
        path,
        query,
        headers: keys,
        ...resource,
        signal,
        idleTimeoutMs: STEP,
      });
      if (step.done === true) return storedResult(documentOf(step, "resource") ?? {});
      const token = textOf(step, "rewriteToken");
      if (!token) throw failure("Unavailable", "the server stopped a copy without saying how to go on");
      rewriteToken = token;
    }
  } catch (error) {
    throw ifAbsent && isOwnDoing(error) ? failure("CommitUnknown", "the answer was lost", { cause: error }) : error;
  }
}

/** Returns whether the existing object may be our own, from an attempt whose response was lost. */
function isOwnDoing(error: unknown): boolean {
  return error instanceof HttpError && error.status === 412 && error.ambiguous;
}
