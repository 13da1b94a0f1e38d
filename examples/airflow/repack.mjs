/**
 * Converts a bundle of `airflow-ts-pack` 0.1.0-beta1 to the layout that Airflow 3.4 reads: a header with the offsets and
 * digest of each part, then the list of tasks, then the code. Later releases of the package write this layout.
 *
 *     node repack.mjs dist/bundle.mjs handlers/bundle.min.mjs
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

const [from, to] = process.argv.slice(2);
const packed = readFileSync(from);
// The first line holds the list of tasks in the old format.
const code = packed.subarray(packed.indexOf("\n") + 1);

const told = execFileSync(process.execPath, [from, "--airflow-metadata"], { encoding: "utf8" });
const { supervisor_schema_version, dags } = JSON.parse(/^__AIRFLOW_METADATA__ (.*)$/m.exec(told)[1]);
const metadata = Buffer.from(
  JSON.stringify({
    airflow_bundle_metadata_version: "1.0",
    sdk: { language: "typescript", version: "0.1.0-beta1", supervisor_schema_version },
    dag_source_paths: {},
    task_handlers: dags,
  }),
);

const LABEL = "//# airflowMetadata=";
/** Returns the header, given its own length in bytes; all offsets have 16 digits, so the length is fixed. */
function header(length) {
  const part = (start, bytes) => ({
    start: hex(start),
    end: hex(start + bytes.length),
    sha256: createHash("sha256").update(bytes).digest("hex"),
  });
  const metadataAt = length + LABEL.length;
  const parts = {
    code: part(metadataAt + metadata.length + 1, code),
    metadata: part(metadataAt, metadata),
    sources: [],
  };
  return `//# airflowBundle=${JSON.stringify(parts)}\n`;
}
function hex(offset) {
  return offset.toString(16).padStart(16, "0");
}

mkdirSync(dirname(to), { recursive: true });
writeFileSync(to, Buffer.concat([Buffer.from(header(header(0).length) + LABEL), metadata, Buffer.from("\n"), code]));
