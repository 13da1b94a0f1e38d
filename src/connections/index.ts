export { parseConnection, toConnection } from "./airflow-format.js";
export {
  type Connection,
  type ConnectionInput,
  type Extra,
  isSecretName,
  reveal as revealed,
  Secret,
} from "./connection.js";
export { type ConnectionsOption, connectionsFileOf, idsOf, resolveConnections } from "./resolve.js";
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
