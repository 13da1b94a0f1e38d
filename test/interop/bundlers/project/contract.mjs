/** Runs the conformance tests of `stowage/testing` on memory and on files; prints how many cases passed, and each failure. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStorage, StoragePath } from "stowage";
import { driverContract } from "stowage/testing";

/** Cases wait for timers more than for the processor. */
const TOGETHER = 8;

const lacks = JSON.parse(process.env.LACKS);
const folder = realpathSync(mkdtempSync(join(tmpdir(), "stowage-contract-")));
let opened = 0;

const places = {
  memory: (n) => [`memory://contract/${n}`, `file://${folder}/other/${n}`],
  file: (n) => [`file://${folder}/${n}`, `memory://other/${n}`],
};

async function open(scheme) {
  const [base, other] = places[scheme](++opened).map((text) => StoragePath.parse(text));
  const storage = openStorage({ env: {} });
  return { storage, base, other, leftovers: async () => [], cleanup: () => storage.close() };
}

const cases = Object.keys(places).flatMap((name) =>
  driverContract({ name, open: () => open(name), lacks: lacks[name] }).filter(({ skip }) => skip === undefined),
);
const failed = [];
const waiting = cases.values();
async function lane() {
  for (const { id, title, run } of waiting)
    await run().catch((error) => failed.push(`${id} ${title}: ${error.message}`));
}
await Promise.all(Array.from({ length: TOGETHER }, lane));
rmSync(folder, { recursive: true });
console.log(JSON.stringify({ cases: cases.length, failed }));
