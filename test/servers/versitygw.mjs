/** VersityGW as a process: a second S3 server, whose objects are files of a folder. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { secret } from "../support/test-secrets.mjs";
import { goBinary } from "./binaries.mjs";
import { startProcess } from "./process.mjs";

const MODULE = "github.com/versity/versitygw/cmd/versitygw";
const VERSION = "v1.8.0";
const REGION = "us-east-1";

/** Starts it. The folder for temporary files must have extended attributes, where it keeps metadata. */
export async function startVersityGw() {
  const command = await goBinary("versitygw", MODULE, VERSION);
  const [accessKey, secretKey] = ["stowage", secret()];
  const running = await startProcess({
    name: "versitygw",
    plan: ({ port, folder }) => {
      const objects = join(folder, "objects");
      mkdirSync(objects);
      return {
        command,
        args: [
          ...["--port", `127.0.0.1:${port}`, "--region", REGION, "--quiet", "--keep-alive"],
          ...["posix", objects],
        ],
        env: { ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
        ready: `http://127.0.0.1:${port}/`,
      };
    },
  });
  const endpoint = `http://127.0.0.1:${running.port}`;
  const extra = { endpoint_url: endpoint, region_name: REGION, provider: "versitygw" };
  const connection = { type: "aws", login: accessKey, password: secretKey, extra };
  const kind = /** @type {const} */ ("s3");
  return { kind, endpoint, accessKey, secretKey, region: REGION, external: false, connection, stop: running.stop };
}
