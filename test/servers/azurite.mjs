/** An Azure Blob server: the one that the environment names, or Azurite as a process. */
import { fileURLToPath } from "node:url";
import { noted, secretKey } from "../support/test-secrets.mjs";
import { startProcess } from "./process.mjs";

const ACCOUNT = "stowagetest";
/** Azure's account keys are 64 bytes. */
const KEY_BYTES = 64;

/**
 * @typedef {object} AzureServer
 * @property {"azure"} kind
 * @property {string} endpoint of the account, without a slash at the end
 * @property {string} account
 * @property {string} accountKey
 * @property {string} connectionString
 * @property {boolean} external
 * @property {{ type: string, extra: Record<string, unknown> }} connection
 * @property {() => Promise<void>} stop
 */

/** Starts Azurite, or takes the account that STOWAGE_TEST_AZURE_CONNECTION_STRING names. @returns {Promise<AzureServer>} */
export async function startAzurite() {
  const external = process.env.STOWAGE_TEST_AZURE_CONNECTION_STRING;
  if (external) return described(external, true, async () => {});
  const command = fileURLToPath(new URL("azurite-main.mjs", import.meta.url));
  const accountKey = secretKey(KEY_BYTES);
  const running = await startProcess({
    name: "azurite",
    plan: ({ port }) => ({
      command: process.execPath,
      args: [
        ...[command, "--blobHost", "127.0.0.1", "--blobPort", String(port), "--silent"],
        ...["--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"],
      ],
      env: { AZURITE_ACCOUNTS: `${ACCOUNT}:${accountKey}` },
      ready: `http://127.0.0.1:${port}/${ACCOUNT}?comp=list`,
    }),
  });
  const endpoint = `http://127.0.0.1:${running.port}/${ACCOUNT}`;
  return described(connectionStringOf(endpoint, accountKey), false, running.stop);
}

/** @param {string} endpoint @param {string} key */
function connectionStringOf(endpoint, key) {
  const fields = { DefaultEndpointsProtocol: "http", AccountName: ACCOUNT, AccountKey: key, BlobEndpoint: endpoint };
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value};`)
    .join("");
}

/** @param {string} connectionString @param {boolean} external @param {() => Promise<void>} stop @returns {AzureServer} */
function described(connectionString, external, stop) {
  const fields = fieldsOf(connectionString);
  const account = fields.AccountName ?? "";
  const accountKey = noted(fields.AccountKey ?? "");
  const host = `${account}.blob.${fields.EndpointSuffix ?? "core.windows.net"}`;
  const endpoint = (fields.BlobEndpoint ?? `https://${host}`).replace(/\/+$/, "");
  const connection = { type: "wasb", extra: { connection_string: connectionString } };
  return { kind: "azure", endpoint, account, accountKey, connectionString, external, connection, stop };
}

/** @param {string} text @returns {Record<string, string>} */
function fieldsOf(text) {
  const pairs = text.split(";").filter(Boolean);
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
}
