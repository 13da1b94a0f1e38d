export { parseConnection, toConnection } from "./airflow-format.js";
export { awsProfileName, envWithAwsProfile } from "./aws-profile.js";
export { type Connection, type ConnectionInput, type Extra, isSecretName, revealed, Secret } from "./connection.js";
export { type AzureCredentials, type AzureOptions, azureOptions } from "./options/azure.js";
export { type GcsCredentials, type GcsOptions, type GoogleKey, type GoogleSource, gcsOptions } from "./options/gcs.js";
export { type S3Encryption, type S3Options, type S3Provider, type S3Transfer, s3Options } from "./options/s3.js";
export type {
  AssumeRole,
  BaseCredentials,
  IdentityToken,
  RoleRequest,
  S3Credentials,
  StaticKeys,
  WebIdentity,
} from "./options/s3-credentials.js";
export { type ConnectionsOption, connectionsFileOf, resolveConnections } from "./resolve.js";
export { connectionsFromFile } from "./secrets-file.js";
export {
  type ConnectionLike,
  type ConnectionSource,
  chainConnections,
  connectionsFromEnv,
  connectionsFromFunction,
  connectionsFromRecord,
  connectionsFromTaskClient,
  connectionVariable,
  rememberConnections,
  type TaskClient,
  type TaskConnection,
} from "./sources.js";
