/** Access keys that are written down. */
import type { S3Credentials } from "../../../connections/options/s3-credentials.js";
import type { AccessKeys } from "../../sign.js";

/** Who signs. */
export interface KeySource {
  /** Undefined: requests are not signed. A promise only when the keys must be found or renewed first. */
  current(): AccessKeys | undefined | Promise<AccessKeys>;
  /** The provider has refused the keys: whether there are others now. */
  renew(): Promise<boolean>;
}

/** Credentials that say themselves who signs. */
export type Stated = Extract<S3Credentials, { kind: "static" | "anonymous" }>;
/** Credentials that have to be found first. */
export type Lazy = Exclude<S3Credentials, Stated>;

export function isLazy(credentials: S3Credentials): credentials is Lazy {
  return credentials.kind !== "static" && credentials.kind !== "anonymous";
}

export function statedKeys(credentials: Stated): KeySource {
  if (credentials.kind === "anonymous") return fixedKeys(undefined);
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return fixedKeys({ accessKeyId, secretAccessKey: secretAccessKey.reveal(), sessionToken: sessionToken?.reveal() });
}

export function fixedKeys(keys: AccessKeys | undefined): KeySource {
  return { current: () => keys, renew: async () => false };
}
