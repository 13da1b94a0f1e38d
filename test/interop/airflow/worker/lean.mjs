import { Dag, DagRegistry, serveDags } from "apache-airflow-ts-sdk";
import { withObjectStorage } from "stowage/airflow/lean";
import { createObjects } from "stowage/core";
import { s3Objects } from "stowage/s3/keys";

// Nothing listens there: opening the driver is what is measured.
const keys = { accessKeyId: "key", secretAccessKey: "secret", endpoint: "http://127.0.0.1:9" };
const parts = { drivers: [s3Objects(keys)] };
const dag = new Dag("lean");
dag.task(
  "one",
  withObjectStorage(() => 1, parts),
);
const signal = AbortSignal.timeout(1);
await createObjects(parts)
  .stat("s3://lake@bucket/key", { signal })
  .catch(() => {});
await serveDags(new DagRegistry(dag));
