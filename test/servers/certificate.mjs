import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { onPath } from "./binaries.mjs";
import { Unavailable } from "./unavailable.mjs";

/**
 * Makes a self-signed certificate for the loopback interface, valid for a day: `public.crt` and `private.key` in
 * `folder`. Returns the certificate as PEM, which clients can trust by itself.
 * @param {string} folder
 */
export async function selfSigned(folder) {
  if (!(await onPath("openssl"))) throw new Unavailable("TLS", "openssl is not on PATH");
  const key = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-keyout",
    join(folder, "private.key"),
  ];
  const names = ["-subj", "/CN=stowage tests", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  // Libraries in Rust refuse a server that shows the certificate of an authority.
  const subject = [...names, "-addext", "basicConstraints=critical,CA:FALSE"];
  const args = ["req", "-x509", "-days", "1", ...key, ...subject, "-out", join(folder, "public.crt")];
  await promisify(execFile)("openssl", args);
  return readFile(join(folder, "public.crt"), "utf8");
}
