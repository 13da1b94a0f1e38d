// Options that replace a custom class per store: readable names, and access to the rows of the old classes.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { openStorage, StoragePath, XComObjectStorageBackend } from "stowage";
import { base, otherBase } from "./lib/place.mjs";

// MinIO uses the three variables of the tutorials; any other store uses its connection.
const { MINIO_IP, MINIO_ACCESS_KEY: login, MINIO_SECRET_KEY: password } = process.env;
const minio = { type: "aws", login, password, extra: { endpoint_url: `http://${MINIO_IP}`, region_name: "us-east-1" } };
const storage = MINIO_IP
  ? openStorage({ env: {}, connections: { store: minio, other: minio } })
  : openStorage({ env: process.env });

const owner = { dagId: "weather", runId: "manual__2026-11-21T00:00:00+00:00", taskId: "fetch", mapIndex: 2 };
const value = { city: "Zürich", degrees: [1.5, -2, 0] };

const xcom = new XComObjectStorageBackend({
  storage,
  path: base,
  threshold: 0,
  keyTemplate: "{dag_id}/{run_id}/{task_id}/{map_index}/{key}_data_{uuid}.json",
  purgeAliases: true,
  readAliases: {
    "xcom_s3://": otherBase,
    "xcom_gcs://": otherBase,
    "xcom_wasb://": otherBase,
    "xcom_minio://": otherBase,
    "s3_and_gs://": otherBase,
  },
});

const reference = await xcom.storeValue(owner, "return_value", value);
console.log(reference);
assert.match(reference, /\/weather\/manual__.*\/fetch\/2\/return_value_data_[0-9a-f-]{36}\.json$/);
assert.deepEqual(await xcom.loadValue(reference, { owner }), value);
await assert.rejects(xcom.purge(reference, { owner: { ...owner, taskId: "other" } }), /PermissionDenied/);
assert.equal(await xcom.purge(reference, { owner }), true);

// An old class left an object under a custom name, and a row that begins with its prefix.
for (const prefix of ["xcom_s3://", "xcom_gcs://", "xcom_wasb://", "xcom_minio://", "s3_and_gs://"]) {
  const key = `${owner.runId}/${owner.taskId}/data_${randomUUID()}.json`;
  const object = StoragePath.parse(otherBase).join(key);
  await storage.write(object, JSON.stringify(value));
  assert.deepEqual(await xcom.loadValue(`${prefix}${key}`, { owner }), value);
  assert.equal(await xcom.purge(`${prefix}${key}`, { owner }), true);
  assert.equal(await storage.exists(object), false);
  // A row that points outside the old bucket's folder is ordinary text.
  assert.equal(await xcom.loadValue(`${prefix}../${key}`), `${prefix}../${key}`);
}
await storage.close();
