// Workflows run in a sandbox, and know nothing of where their values are.
import { proxyActivities } from "@temporalio/workflow";

const { load, count } = proxyActivities({ startToCloseTimeout: "1 minute" });

/** Returns the rows that an activity has loaded, above Temporal's limit of 2 MiB. */
export async function report(size) {
  const rows = await load(size);
  return { rows, count: await count(rows) };
}
