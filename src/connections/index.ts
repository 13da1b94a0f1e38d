export { type Connection, type ConnectionInput, type Extra, revealed } from "./connection.js";
export * from "./options/index.js";
export { parseConnection, toConnection } from "./parse.js";
export { type ConnectionsOption, connectionsFileOf, resolveConnections } from "./resolve.js";
export { isSecretName } from "./sealing.js";
export { Secret } from "./secret.js";
export { connectionsFromFile } from "./secrets-file.js";
export {
  type ConnectionLike,
  type ConnectionSource,
  chainConnections,
  connectionsFromEnv,
  connectionsFromFunction,
  connectionsFromRecord,
  connectionVariable,
  rememberConnections,
} from "./source.js";
export { connectionsFromTaskClient, type TaskClient, type TaskConnection } from "./task-client.js";
