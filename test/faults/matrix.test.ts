/** Each fault at each request of each cloud: the object is old, or new, and a failure is typed. */
import { expect, test, vi } from "vitest";
import { isStorageError } from "../../src/errors.js";
import { exceptionOf, exceptionsOn } from "./exceptions.js";
import { MATRIX, type Row } from "./matrix.js";
import type { Place } from "./place.js";
import { onEveryCloud } from "./suite.js";
import { wordOf } from "./tally.js";
import { VERBS, type VerbName } from "./verbs.js";

vi.mock("../../src/fs/http/client.js", async (original) => (await import("./brisk.js")).briskly(original));

/** What the cloud has no request for. */
const LACKS: Record<string, readonly VerbName[]> = { s3: [], gs: ["commit"], abfs: ["begin"] };

await onEveryCloud("faults", ({ provider, tally, place }) => {
  const { scheme } = provider;
  tally.note(...exceptionsOn(scheme));
  const rows = MATRIX.filter(({ only }) => !only || only.includes(scheme));
  const cases = rows.flatMap((row) => row.verbs.map((verb) => ({ ...row, verb })));

  test.concurrent.each(cases.filter(({ verb }) => !LACKS[scheme]?.includes(verb)))(
    "$id: $title, at $verb",
    async (row) => {
      const at = await place();
      const { error } = await met(at, row);
      tally.count(`${row.id} ${row.title}`, wordOf(error));
      const exception = exceptionOf(scheme, row, row.verb);
      await VERBS[row.verb].check(at, error === undefined);
      if (!exception?.outcome) expect(at.proxy.pending()).toEqual([]);
      const outcome = exception?.outcome ?? row.outcome?.(row.verb, scheme) ?? "succeeds";
      if (outcome === "succeeds") expect(error).toBe(undefined);
      else expect(outcome).toContain(wordOf(error));
      await at.leave({ uploads: exception?.leavesUpload !== true, unread: row.unread ? 1 : 0 });
    },
  );
});

async function met(place: Place, { fault, times = 1, verb }: Row & { verb: VerbName }): Promise<{ error?: unknown }> {
  const { operation, prepare, run } = VERBS[verb];
  await prepare(place);
  place.proxy.plant({ on: { operation }, times, fault });
  try {
    await run(place);
    return {};
  } catch (error) {
    if (!isStorageError(error)) throw error;
    expect(error.attempts).toBeLessThanOrEqual(6);
    return { error };
  }
}
