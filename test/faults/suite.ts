/** The frame of a suite of fault tests: all clouds, a table of outcomes at the end, and nothing left open. */
import { afterAll, beforeAll, expect } from "vitest";
import { describeOn, useBucket } from "../servers/use.js";
import { type Leaks, watchLeaks } from "../support/leaks.js";
import { Place, PROVIDERS, type Provider } from "./place.js";
import { Tally } from "./tally.js";

export interface Suite {
  readonly provider: Provider;
  readonly tally: Tally;
  /** A place of its own, which the test must leave. */
  place(): Promise<Place>;
}

/** Runs `body` for each cloud. */
export async function onEveryCloud(title: string, body: (suite: Suite) => void): Promise<void> {
  for (const provider of PROVIDERS) {
    const name = `${title} on ${provider.name}`;
    await describeOn(provider.server, name, (server) => {
      const tally = new Tally();
      leaveNothingOpen(provider);
      const bucket = useBucket(server);
      afterAll(() => tally.print(name));
      body({ provider, tally, place: () => Place.open(provider, server, bucket()) });
    });
  }
}

/**
 * Registered before everything else of a `describe`, so that it looks when all the rest is over. The clients of Google
 * and Azure with which the tests make buckets cannot be closed; there the sockets are counted by the proxies.
 */
function leaveNothingOpen({ scheme }: Provider): void {
  let leaks: Leaks;
  beforeAll(() => {
    leaks = watchLeaks();
  });
  afterAll(async () => {
    const found = await leaks.found();
    expect(scheme === "s3" ? found : found.filter((name) => !name.startsWith("socket:"))).toEqual([]);
  });
}
