import { failure, invalid } from "../../../errors.js";
import { encodeKey, presign } from "../../sign.js";
import type { S3Client } from "./client.js";

/** Seconds that a signed request is valid at most. */
const WEEK = 7 * 24 * 60 * 60;

/** A request that anybody may send until it expires. `expiresIn`: seconds. */
export async function presigned(
  client: S3Client,
  method: "GET" | "PUT",
  key: string,
  expiresIn: number,
): Promise<string> {
  if (expiresIn > WEEK) throw invalid(`expiresIn is at most ${WEEK} seconds`);
  const { origin, path, keys, common, signer, now } = await client.signing();
  if (!keys) throw failure("Unauthenticated", "an anonymous connection cannot sign");
  const signable = { method, host: origin.host, path: path + encodeKey(key), query: "" };
  const target = presign(signer, signable, Object.entries(common), keys, now, expiresIn);
  return `${origin.protocol}//${origin.host}${target}`;
}
