/**
 * Builds the images that `containers.mjs` asks for, under their public names, from the same static binaries that the
 * process starters use: for machines that cannot pull images. Needs podman. Usage: node test/servers/local-images.mjs
 */
import { execFile } from "node:child_process";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { IMAGES } from "./containers.mjs";
import { fakeGcsBinary } from "./fake-gcs.mjs";
import { minioBinary } from "./minio.mjs";

const binaries = { minio: minioBinary, "fake-gcs-server": fakeGcsBinary };

for (const [name, image] of Object.entries(IMAGES)) {
  const folder = await mkdtemp(join(tmpdir(), "stowage-image-"));
  const binary = await binaries[/** @type {keyof typeof IMAGES} */ (name)]();
  await copyFile(binary, join(folder, "server"));
  await writeFile(join(folder, "Containerfile"), `FROM scratch\nCOPY server /server\nENTRYPOINT ["/server"]\n`);
  const args = ["--storage-driver=vfs", "build", "--isolation=chroot", "-t", image, folder];
  await promisify(execFile)("podman", args, { maxBuffer: 2 ** 26 });
  await rm(folder, { recursive: true });
  console.log(image);
}
