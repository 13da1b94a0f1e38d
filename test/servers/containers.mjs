/**
 * MinIO and fake-gcs-server in containers, behind the interface of the process starters, by testcontainers. Needs a
 * Docker API (DOCKER_HOST, or the usual socket) and Node 22, which testcontainers' HTTP client asks for.
 */
import { existsSync } from "node:fs";
import { secret } from "../support/test-secrets.mjs";
import { describedGcs } from "./fake-gcs.mjs";
import { describedS3 } from "./minio.mjs";
import { Unavailable } from "./unavailable.mjs";

/** Image names as tests ask for them; `local-images.mjs` makes images of these names where none can be pulled. */
export const IMAGES = {
  minio: "docker.io/minio/minio:RELEASE.2025-09-07T16-13-09Z",
  "fake-gcs-server": "docker.io/fsouza/fake-gcs-server:1.56.1",
};
const SOCKET = "/var/run/docker.sock";
const OLDEST_NODE = 22;
const START_TIMEOUT = 120_000;

/** Why containers cannot be had here, or undefined when they can. */
export function whyNoContainers() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < OLDEST_NODE) return `testcontainers needs Node ${OLDEST_NODE}, this is ${process.versions.node}`;
  if (!process.env.DOCKER_HOST && !existsSync(SOCKET)) return `no Docker API: DOCKER_HOST is not set, no ${SOCKET}`;
  return undefined;
}

/** MinIO in a container. @returns {Promise<import("./minio.mjs").S3Server>} */
export async function minioContainer() {
  const credentials = { MINIO_ROOT_USER: "stowage", MINIO_ROOT_PASSWORD: secret() };
  const { endpoint, stop } = await start({
    image: IMAGES.minio,
    port: 9000,
    environment: { ...credentials, MINIO_BROWSER: "off" },
    command: ["server", "--address", ":9000", "/data"],
    ready: "/minio/health/ready",
  });
  return describedS3(endpoint, credentials.MINIO_ROOT_USER, credentials.MINIO_ROOT_PASSWORD, false, stop);
}

/** fake-gcs-server in a container. @returns {Promise<import("./fake-gcs.mjs").GcsServer>} */
export async function fakeGcsContainer() {
  const { endpoint, stop } = await start({
    image: IMAGES["fake-gcs-server"],
    port: 4443,
    environment: {},
    command: ["-scheme", "http", "-port", "4443", "-backend", "memory", "-log-level", "error"],
    ready: "/_internal/healthcheck",
  });
  // The server tells this address as the one where an upload goes on, and only now is the port known.
  const externalUrl = JSON.stringify({ externalUrl: endpoint });
  await fetch(`${endpoint}/_internal/config`, { method: "PUT", body: externalUrl });
  return describedGcs(endpoint, false, stop);
}

/**
 * @param {{ image: string, port: number, environment: Record<string, string>, command: string[], ready: string }} plan
 */
async function start({ image, port, environment, command, ready }) {
  const reason = whyNoContainers();
  if (reason) throw new Unavailable(image, reason);
  const { GenericContainer, Wait } = await import("testcontainers");
  const container = await new GenericContainer(image)
    .withEnvironment(environment)
    .withCommand(command)
    .withExposedPorts(port)
    // Not by port: that runs a shell inside, and an image from scratch has none.
    .withWaitStrategy(Wait.forHttp(ready, port))
    .withStartupTimeout(START_TIMEOUT)
    .start();
  const endpoint = `http://${container.getHost()}:${container.getMappedPort(port)}`;
  return { endpoint, stop: async () => void (await container.stop()) };
}
