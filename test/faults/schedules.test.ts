/** 300 seeded schedules of faults a run: the object is old, or new; a reader sees one version; an error is typed and true. */

import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { isStorageError } from "../../src/errors.js";
import { CALLS, check, prepare } from "./actions.js";
import { type Place, PROVIDERS } from "./place.js";
import { honest, plant, type Schedule, schedules } from "./schedule.js";
import { onEveryCloud } from "./suite.js";
import { type Tally, wordOf } from "./tally.js";

vi.mock("../../src/fs/http/client.js", async (original) => (await import("./brisk.js")).briskly(original));

/** Schedules on each cloud; STOWAGE_FAULT_RUNS asks for more. */
const RUNS = Number(process.env.STOWAGE_FAULT_RUNS ?? 100);
const LANES = 4;
/** The same schedules in every run, so that a red run is the change's doing; STOWAGE_TEST_SEED draws others. */
const seed = fc.readConfigureGlobal()?.seed ?? 20_261_121;

await onEveryCloud("schedules", ({ provider, tally, place }) => {
  tally.note(`seed ${seed}: STOWAGE_TEST_SEED=${seed} repeats this run`);
  const lanes = Array.from({ length: LANES }, (_, lane) => lane);

  test.concurrent.each(lanes)(
    "old, or new, or a typed error; readers see one version (%i)",
    { timeout: 2000 * RUNS },
    async (lane) => {
      const property = fc.asyncProperty(schedules, async (schedule) => {
        // Only Google's own service, and not the one that stands for it here, enforces the condition on copies.
        fc.pre(provider.scheme !== "gs" || schedule.action !== "copy if absent");
        await survives(await place(), schedule, tally);
      });
      await fc.assert(property, {
        seed: seed + lane * PROVIDERS.length + PROVIDERS.indexOf(provider),
        numRuns: Math.ceil(RUNS / LANES),
        endOnFailure: true,
      });
    },
  );
});

async function survives(place: Place, { action, plan }: Schedule, tally: Tally): Promise<void> {
  const call = CALLS[action];
  await prepare(place, call);
  plant(place, plan, () => place.direct.write(place.at("x"), call.others));
  const error = await call.run(place).then(
    () => undefined,
    (failed: unknown) => failed ?? new Error("rejected with nothing"),
  );
  const met = place.proxy.requests.flatMap(({ fault = [], operation }) =>
    [fault].flat().map((name) => ({ name, operation })),
  );
  for (const name of new Set(met.map((one) => one.name.replace(/\(.*/, "")))) tally.count(name, wordOf(error));
  if (met.length === 0) tally.count("no request left to meet the fault", wordOf(error));
  if (error !== undefined && !isStorageError(error)) throw error;
  const names = met.map(({ name }) => name);
  if (error) expect([...honest(action, names)], String(error)).toContain(error.code);
  await check(place, action, error === undefined, names.includes("replaced"));
  // Nobody knows the id of an upload whose begin was answered to nobody: the bucket's own rule must end it.
  const unknown =
    met.some(({ operation }) => operation === "begin" || operation === "abort") ||
    place.proxy.requests.some(({ operation, lost }) => operation === "begin" && lost);
  await place.leave({ uploads: !unknown, unread: names.filter((name) => name.startsWith("resetRequest")).length });
}
