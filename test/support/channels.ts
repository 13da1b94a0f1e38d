/** What is published on the channels of node:diagnostics_channel during a test. */
import { tracingChannel } from "node:diagnostics_channel";
import { afterEach } from "vitest";
import type { OperationEvent, RequestEvent } from "../../src/fs/index.js";

/** An event as it was when it was published; `when` is `start`, `end`, `asyncStart`, `asyncEnd` or `error`. */
export type Told = { when: string } & Record<string, unknown>;

/** Returns recorders of each channel, which end with the test, as does what is pushed to `ends`. */
export function useChannels() {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });
  function heard<E extends object>(name: string): Told[] {
    const told: Told[] = [];
    const channel = tracingChannel<E>(name);
    const of = (when: string) => (event: unknown) => void told.push({ when, ...(event as object) });
    const subscribers = {
      start: of("start"),
      end: of("end"),
      asyncStart: of("asyncStart"),
      asyncEnd: of("asyncEnd"),
      error: of("error"),
    };
    channel.subscribe(subscribers);
    ends.push(() => channel.unsubscribe(subscribers));
    return told;
  }
  return {
    ends,
    operations: () => heard<OperationEvent>("stowage:operation"),
    requests: () => heard<RequestEvent>("stowage:request"),
  };
}

/** The last event of each call or request, which has all fields. */
export const ended = (told: readonly Told[]): Told[] => told.filter(({ when }) => when === "asyncEnd");
