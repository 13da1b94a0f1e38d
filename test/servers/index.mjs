/**
 * Real servers behind one interface, for tests, examples and benchmarks:
 *
 *     const server = await startMinio();            // or startFakeGcs(), startAzurite()
 *     const bucket = await makeBucket(server);
 *     openStorage({ connections: { it: server.connection } })   // `${scheme}://it@${bucket.name}/key`
 *     await bucket.remove();
 *     await server.stop();
 *
 * A server that the environment names (STOWAGE_TEST_S3_ENDPOINT and so on, see CONTRIBUTING.md) is used as it is; else
 * one is started as a process on a free port of the loopback interface and is gone when the caller is. What can be
 * neither found nor started throws {@link Unavailable}.
 */
import { startAzurite } from "./azurite.mjs";
import { fakeGcsContainer, minioContainer } from "./containers.mjs";
import { startFakeGcs } from "./fake-gcs.mjs";
import { startMinio } from "./minio.mjs";
import { startVersityGw } from "./versitygw.mjs";

export { azureClient, gcsClient, makeBucket, s3Client } from "./buckets.mjs";
export { Unavailable } from "./unavailable.mjs";
export { startAzurite, startFakeGcs, startMinio };

/** Set to `containers`, MinIO and fake-gcs-server run in containers instead of processes. */
const inContainers = process.env.STOWAGE_TEST_SERVERS === "containers";

/** How each server of the test run is started, by the name that tests ask for. */
export const starters = {
  minio: () => (inContainers ? minioContainer() : startMinio()),
  "minio-tls": () => startMinio({ tls: true }),
  "fake-gcs": () => (inContainers ? fakeGcsContainer() : startFakeGcs()),
  versitygw: () => startVersityGw(),
  azurite: () => startAzurite(),
};
