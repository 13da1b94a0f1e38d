import type { OpenDriver } from "../../driver/driver.js";
import { openServer } from "./client.js";
import { azureOptions } from "./connection.js";
import { azureDriver } from "./driver.js";

/** Opens a container. An account key or a SAS needs no package, identities need `@azure/identity`. */
export const openAzure: OpenDriver = async (bucket, connection, shared) => {
  const options = azureOptions(connection, shared.env);
  return azureDriver(await openServer(bucket, options, shared), shared);
};
