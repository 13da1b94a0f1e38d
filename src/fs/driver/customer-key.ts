/** Keys of customers, which go out with every request about their objects. */
import { createHash } from "node:crypto";
import type { Secret } from "../../connections/connection.js";
import { invalid } from "../../errors.js";
import type { Origin } from "../http/types.js";
import type { CallEncryption } from "./driver.js";

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[?::1\]?)$/;

/** Throws InvalidArgument if a customer's key would leave this machine without encryption. */
export function checkConfidential(
  { create, customerKey }: CallEncryption,
  origin: Pick<Origin, "protocol" | "hostname">,
): void {
  if (!customerKey && !create?.customerKey) return;
  if (origin.protocol === "https:" || LOOPBACK.test(origin.hostname)) return;
  throw invalid("customerKey is only sent over https, and this endpoint is http");
}

/** Returns the SHA-256 of a key, in base64. */
export function keySha256(key: Secret): string {
  return createHash("sha256").update(key.reveal(), "base64").digest("base64");
}
