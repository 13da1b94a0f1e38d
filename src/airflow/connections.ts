import { type ConnectionSource, connectionsFromTaskClient } from "../connections/index.js";
import type { TaskClient } from "./sdk.js";

/** The connections that Airflow's API server gives to a task. */
export function taskConnections(client: TaskClient): ConnectionSource {
  return connectionsFromTaskClient(client, "the API server (client.getConnection)");
}
