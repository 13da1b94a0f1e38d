/**
 * Runs before every test file. Repeats the property tests of a failed run when STOWAGE_TEST_SEED gives the seed that
 * its message named; under `npm test` it writes down every StorageError as a program or a log could show it, so that
 * the search for secrets sees them all.
 */
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach } from "vitest";

const { STOWAGE_TEST_RUN: run, STOWAGE_TEST_SEED: seed } = process.env;
/** Property tests can make errors by the hundred thousand, most of them alike. */
const MOST_ERRORS = 2000;

if (seed) (await import("fast-check")).configureGlobal({ seed: Number(seed) });
if (run) watchErrors(join(run, "errors"));

function watchErrors(folder: string): void {
  const fresh = new Set<Error>();
  class WatchedError extends Error {
    constructor(message?: string, options?: ErrorOptions) {
      super(message, options);
      if (fresh.size < MOST_ERRORS) fresh.add(this);
    }
  }
  mkdirSync(folder, { recursive: true });
  Object.assign(globalThis, { [Symbol.for("stowage.test.Error")]: WatchedError });
  afterEach(() => {
    for (const error of fresh) appendFileSync(join(folder, `${process.pid}.txt`), shown(error));
    fresh.clear();
  });
}

function shown(error: Error): string {
  const forms = [String(error), error.stack, JSON.stringify(error), inspect(error, { depth: 12, showHidden: true })];
  return `${forms.join("\n")}\n`;
}
