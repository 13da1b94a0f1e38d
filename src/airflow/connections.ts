import { type ConnectionSource, connectionsFromTaskClient, rememberConnections } from "../connections/index.js";
import type { TaskClient } from "./sdk.js";

/** The connections that Airflow's API server gives to a task; each is asked for once, however many buckets it opens. */
export function taskConnections(client: TaskClient): ConnectionSource {
  return rememberConnections(connectionsFromTaskClient(client, "the API server (client.getConnection)"));
}
