/** A Google Cloud Storage server: the one that the environment names, or fake-gcs-server as a process. */
import { goBinary } from "./binaries.mjs";
import { startProcess } from "./process.mjs";

const MODULE = "github.com/fsouza/fake-gcs-server";
const VERSION = "v1.56.1";

/**
 * @typedef {object} GcsServer
 * @property {"gcs"} kind
 * @property {string} endpoint without the `/storage/v1` of the JSON API
 * @property {string} project
 * @property {string} [keyFile] of a service account; without one the server takes everybody
 * @property {boolean} external
 * @property {{ type: string, extra: Record<string, unknown> }} connection
 * @property {() => Promise<void>} stop
 */

/** Starts fake-gcs-server, or takes the server that STOWAGE_TEST_GCS_ENDPOINT names. @returns {Promise<GcsServer>} */
export async function startFakeGcs() {
  const external = process.env.STOWAGE_TEST_GCS_ENDPOINT;
  if (external) return describedGcs(external.replace(/\/+$/, ""), true, async () => {});
  const command = await fakeGcsBinary();
  const running = await startProcess({
    name: "fake-gcs-server",
    plan: ({ port }) => ({
      command,
      args: [
        ...["-scheme", "http", "-host", "127.0.0.1", "-port", String(port), "-backend", "memory"],
        ...["-external-url", `http://127.0.0.1:${port}`, "-public-host", `127.0.0.1:${port}`, "-log-level", "error"],
      ],
      ready: `http://127.0.0.1:${port}/_internal/healthcheck`,
    }),
  });
  return describedGcs(`http://127.0.0.1:${running.port}`, false, running.stop);
}

/** The path of a fake-gcs-server of this machine. */
export const fakeGcsBinary = () => goBinary("fake-gcs-server", MODULE, VERSION);

/** @param {string} endpoint @param {boolean} external @param {() => Promise<void>} stop @returns {GcsServer} */
export function describedGcs(endpoint, external, stop) {
  const project = process.env.STOWAGE_TEST_GCS_PROJECT ?? "stowage-test";
  const keyFile = external ? process.env.STOWAGE_TEST_GCS_KEY_FILE : undefined;
  const credentials = keyFile ? { key_path: keyFile } : { is_anonymous: true };
  const extra = { project, "gcs.endpoint": endpoint, ...credentials };
  const connection = { type: "google_cloud_platform", extra };
  return { kind: "gcs", endpoint, project, ...(keyFile ? { keyFile } : {}), external, connection, stop };
}
