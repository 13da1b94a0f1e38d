/** An S3 server: the one that the environment names, or MinIO as a process. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { noted, secret, secretKey } from "../support/test-secrets.mjs";
import { goBinary } from "./binaries.mjs";
import { selfSigned } from "./certificate.mjs";
import { startProcess } from "./process.mjs";

const MODULE = "github.com/minio/minio";
const VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c";
/** The id of MinIO's built-in key, for SSE-KMS. */
export const KMS_KEY = "stowage-test-key";

/**
 * @typedef {object} S3Server
 * @property {"s3"} kind
 * @property {string} endpoint
 * @property {string} accessKey
 * @property {string} secretKey
 * @property {string} region
 * @property {string} [ca] PEM, when the server speaks TLS with a certificate of its own
 * @property {string} [kmsKey] id of a key for SSE-KMS, where there is one
 * @property {boolean} external whether the environment named it: then it is not ours, and may cost money
 * @property {{ type: string, login: string, password: string, extra: Record<string, unknown> }} connection
 * @property {() => Promise<void>} stop
 */

/**
 * Starts MinIO, or takes the server that STOWAGE_TEST_S3_ENDPOINT names. With `tls` it is always MinIO, with a
 * certificate of its own and a built-in key for SSE-KMS, since SSE-C and SSE-KMS need TLS.
 * @param {{ tls?: boolean }} [options] @returns {Promise<S3Server>}
 */
export async function startMinio({ tls = false } = {}) {
  const external = process.env.STOWAGE_TEST_S3_ENDPOINT;
  if (external && !tls) return named(external);
  const command = await minioBinary();
  const certificates = tls ? await mkdtemp(join(tmpdir(), "stowage-tls-")) : undefined;
  try {
    return await launch(command, certificates);
  } catch (error) {
    if (certificates) await rm(certificates, { recursive: true, force: true });
    throw error;
  }
}

/** The path of a MinIO of this machine. */
export const minioBinary = () => goBinary("minio", MODULE, VERSION);

/** @param {string} command @param {string | undefined} certificates @returns {Promise<S3Server>} */
async function launch(command, certificates) {
  const credentials = { accessKey: "stowage", secretKey: secret() };
  const ca = certificates ? await selfSigned(certificates) : undefined;
  const scheme = ca ? "https" : "http";
  const env = environment(credentials, ca !== undefined);
  const running = await startProcess({
    name: "minio",
    ...(ca ? { ca } : {}),
    plan: ({ port, folder }) => ({
      command,
      args: [
        ...["server", "--quiet", "--address", `127.0.0.1:${port}`],
        ...["--certs-dir", certificates ?? join(folder, "certs"), join(folder, "data")],
      ],
      env,
      ready: `${scheme}://127.0.0.1:${port}/minio/health/ready`,
    }),
  });
  const stop = async () => {
    await running.stop();
    if (certificates) await rm(certificates, { recursive: true, force: true });
  };
  const endpoint = `${scheme}://127.0.0.1:${running.port}`;
  const caFile = certificates && join(certificates, "public.crt");
  const server = describedS3(endpoint, credentials.accessKey, credentials.secretKey, false, stop, caFile);
  return ca ? { ...server, ca, kmsKey: KMS_KEY } : server;
}

/** @param {{ accessKey: string, secretKey: string }} credentials @param {boolean} kms */
function environment(credentials, kms) {
  return {
    MINIO_ROOT_USER: credentials.accessKey,
    MINIO_ROOT_PASSWORD: credentials.secretKey,
    MINIO_BROWSER: "off",
    MINIO_UPDATE: "off",
    ...(kms ? { MINIO_KMS_SECRET_KEY: `${KMS_KEY}:${secretKey(32)}` } : {}),
  };
}

/** @param {string} endpoint @returns {S3Server} */
function named(endpoint) {
  const { STOWAGE_TEST_S3_ACCESS_KEY: key, STOWAGE_TEST_S3_SECRET_KEY: password } = process.env;
  if (!key || !password) {
    throw new Error("STOWAGE_TEST_S3_ENDPOINT needs STOWAGE_TEST_S3_ACCESS_KEY and STOWAGE_TEST_S3_SECRET_KEY");
  }
  return describedS3(endpoint, key, noted(password), true, async () => {});
}

/**
 * @param {string} endpoint @param {string} accessKey @param {string} secretKey @param {boolean} external
 * @param {() => Promise<void>} stop @param {string} [caFile] @returns {S3Server}
 */
export function describedS3(endpoint, accessKey, secretKey, external, stop, caFile) {
  const region = process.env.STOWAGE_TEST_S3_REGION ?? "us-east-1";
  const provider = external ? process.env.STOWAGE_TEST_S3_PROVIDER : "minio";
  const extra = {
    endpoint_url: endpoint,
    region_name: region,
    ...(provider ? { provider } : {}),
    ...(caFile ? { verify: caFile } : {}),
  };
  const connection = { type: "aws", login: accessKey, password: secretKey, extra };
  return { kind: "s3", endpoint, accessKey, secretKey, region, external, connection, stop };
}
