import { Dag, DagRegistry, serveDags } from "apache-airflow-ts-sdk";
import { openStorage } from "stowage";
import { withObjectStorage } from "stowage/airflow";

const dag = new Dag("static");
dag.task(
  "one",
  withObjectStorage(() => 1),
);
// A signature loads the driver and sends no request.
const storage = openStorage({ connections: { lake: { type: "aws", login: "key", password: "secret" } } });
await storage.signedUrl("s3://lake@bucket/key");
await serveDags(new DagRegistry(dag));
