import { type ConnectionSource, connectionsFromTaskClient, rememberConnections } from "../connections/index.js";
import type { TaskClient } from "./sdk.js";

/** Returns the connections of Airflow's API server; each is requested once, however many buckets use it. */
export function taskConnections(client: TaskClient): ConnectionSource {
  return rememberConnections(connectionsFromTaskClient(client, "the API server (client.getConnection)"));
}
