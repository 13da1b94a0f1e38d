/**
 * Starts and stops each server once, so that what is built or fetched the first time on a machine is so before any
 * test's clock runs. A server that cannot be had is a failure when CI is set, and a loud SKIPPED elsewhere.
 */
import { starters } from "./index.mjs";

let passed = 0;
let failed = 0;
for (const [name, start] of Object.entries(starters)) {
  const since = performance.now();
  try {
    await (await start()).stop();
    passed++;
    console.log(`${name} starts: ${((performance.now() - since) / 1000).toFixed(1)} s`);
  } catch (error) {
    const reason = `no ${name} here: ${error instanceof Error ? error.message : String(error)}`;
    console.log(process.env.CI ? reason : `SKIPPED: ${reason}`);
    if (process.env.CI) failed++;
  }
}
console.log(`${passed} passed, ${failed} failed`);
