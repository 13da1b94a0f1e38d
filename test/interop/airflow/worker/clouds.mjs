/**
 * Writes and reads an object on every store that the argument lists as JSON, from a bundle of `airflow-ts-pack`.
 * `stowage/airflow` comes first: what follows is CommonJS in part.
 */
import "stowage/airflow";
import { S3Client } from "@aws-sdk/client-s3";
import { BlobServiceClient } from "@azure/storage-blob";
import { Storage } from "@google-cloud/storage";
import { Dag, DagRegistry, serveDags } from "apache-airflow-ts-sdk";
import { openStorage } from "stowage";
import { azure } from "stowage/azure";
import { gcs } from "stowage/gcs";
import { s3 } from "stowage/s3";

const CLIENTS = {
  s3: (options) => [s3.fromClient(new S3Client(options))],
  gs: (options) => [gcs.fromClient(new Storage(options))],
  abfs: (options) => [azure.fromClient(BlobServiceClient.fromConnectionString(options))],
};

async function tried({ path, connections, client }) {
  const drivers = client && CLIENTS[client.scheme](client.options);
  await using storage = openStorage({ connections, drivers });
  try {
    await storage.write(path, "text");
    return await storage.text(path);
  } catch (error) {
    return `${error.code}: ${error.message}`;
  }
}

const stores = process.argv.find((argument) => argument.startsWith("--stores="));
if (stores) {
  const results = {};
  for (const [name, store] of Object.entries(JSON.parse(stores.slice("--stores=".length))))
    results[name] = await tried(store);
  console.log(JSON.stringify(results));
} else {
  const dag = new Dag("clouds");
  dag.task("none", () => 1);
  await serveDags(new DagRegistry(dag));
}
