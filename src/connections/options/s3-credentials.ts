/** The kinds of credentials that sign requests to S3. */
import type { Secret } from "../secret.js";

export interface StaticKeys {
  readonly kind: "static";
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  readonly sessionToken: Secret | undefined;
}

/** Where the identity token of a web identity comes from; `google` is the instance's own metadata server. */
export type IdentityToken =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "google"; readonly audience: string; readonly host: string };

/** What STS is asked for. */
export interface RoleRequest {
  readonly roleArn: string;
  readonly sessionName: string;
  readonly durationSeconds: number | undefined;
  /** JSON text. */
  readonly policy: string | undefined;
  readonly policyArns: readonly string[];
  /** Undefined for AWS's own STS of the region. */
  readonly stsEndpoint: string | undefined;
  readonly region: string | undefined;
}

/** What only AssumeRole takes. */
export interface AssumeRole extends RoleRequest {
  readonly kind: "assume-role";
  readonly source: BaseCredentials;
  readonly externalId: string | undefined;
  readonly sourceIdentity: string | undefined;
  readonly tags: readonly { readonly key: string; readonly value: string }[];
  readonly transitiveTagKeys: readonly string[];
  readonly mfa: { readonly serialNumber: string; readonly tokenCode: Secret } | undefined;
}

export interface WebIdentity extends RoleRequest {
  readonly kind: "web-identity";
  readonly token: IdentityToken;
}

/** Credentials that need no other: `default` is the chain of AWS's own library. */
export type BaseCredentials =
  | StaticKeys
  | { readonly kind: "profile"; readonly name: string }
  | { readonly kind: "default" }
  | WebIdentity;

export type S3Credentials = BaseCredentials | AssumeRole | { readonly kind: "anonymous" };
