import { Dag, DagRegistry, serveDags } from "apache-airflow-ts-sdk";

const dag = new Dag("bare");
dag.task("one", () => 1);
await serveDags(new DagRegistry(dag));
