/**
 * Secrets that are unique to one run, so that finding one in any output proves a leak.
 * `npm test` names a folder in STOWAGE_TEST_RUN; the secrets are noted there and its last stage searches for them.
 */
import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/** The folder of secrets below the folder of the run; the one place where the search does not look. */
export const SECRETS_FOLDER = "secrets";

/** Notes a secret of this run, so that the last stage looks for it. Returns it. @param {string} secret */
export function noted(secret) {
  const run = process.env.STOWAGE_TEST_RUN;
  if (!run) return secret;
  mkdirSync(join(run, SECRETS_FOLDER), { recursive: true });
  appendFileSync(join(run, SECRETS_FOLDER, `${process.pid}.txt`), secret + "\n");
  return secret;
}

/** A new password-like secret: 40 characters of lower-case letters and digits. */
export function secret() {
  return noted("canary" + randomBytes(17).toString("hex"));
}

/** A new key in base64, as Azure accounts and KMS have. @param {number} bytes */
export function secretKey(bytes) {
  return noted(randomBytes(bytes).toString("base64"));
}
