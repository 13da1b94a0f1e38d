export { type AzureOptions, azureOptions } from "./azure.js";
export type { AzureCredentials } from "./azure-credentials.js";
export { type GcsOptions, gcsOptions } from "./gcs.js";
export type { GcsCredentials, GoogleKey, GoogleSource } from "./gcs-credentials.js";
export { type S3Options, type S3Provider, s3Options } from "./s3.js";
export type { S3Transfer } from "./s3-client.js";
export type {
  AssumeRole,
  BaseCredentials,
  IdentityToken,
  RoleRequest,
  S3Credentials,
  StaticKeys,
  WebIdentity,
} from "./s3-credentials.js";
export type { S3Encryption } from "./s3-encryption.js";
