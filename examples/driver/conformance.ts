/** Runs the conformance tests of `stowage/testing` on the driver: `node conformance.js` prints one line a case. */
import { openStorage, StoragePath } from "stowage";
import { driverContract } from "stowage/testing";
import { map } from "./driver.js";

const cases = driverContract({
  name: "map",
  open: async () => {
    const storage = openStorage({ drivers: [map()] });
    return { storage, base: StoragePath.parse("map://bucket/base"), cleanup: () => storage.close() };
  },
  lacks: ["attributes", "buckets", "bucketVerbs", "metadata", "sign", "tags", "versions"],
});

let failed = 0;
for (const { id, title, run, skip } of cases) {
  if (skip !== undefined) continue;
  const error: unknown = await run().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) continue;
  failed++;
  console.error(`${id} ${title}: ${error instanceof Error ? error.message : String(error)}`);
}
console.log(`${cases.length} cases, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
