import { Dag, DagRegistry, serveDags } from "apache-airflow-ts-sdk";
import { withObjectStorage } from "stowage/airflow/lean";
import { connectionsFromRecord, gzip, openStorage } from "stowage/lean";
import { openS3WithKeys } from "stowage/s3";

const parts = { drivers: { s3: openS3WithKeys }, codecs: [gzip] };
const dag = new Dag("lean");
dag.task(
  "one",
  withObjectStorage(() => 1, parts),
);
// A signature opens the driver and sends no request.
const connections = connectionsFromRecord({ lake: { type: "aws", login: "key", password: "secret" } });
const storage = openStorage({ ...parts, connections });
await storage.sign("s3://lake@bucket/key");
await serveDags(new DagRegistry(dag));
