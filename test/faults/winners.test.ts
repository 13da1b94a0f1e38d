/** As `s3-winners.test.ts`, for the other clouds: one of several writers of equal bytes wins, whatever happens to the responses. */
import { expect, it } from "vitest";
import { isStorageError } from "../../src/errors.js";
import { describeOn, useBucket } from "../servers/use.js";
import { answer, answerAfter, type Fault, loseAnswer } from "../support/faults.js";
import { MIB, Place, PROVIDERS } from "./place.js";

const WRITERS = 4;
const ROUNDS = 3;

const FAULTS: readonly Fault[] = [answer(503), answerAfter(503), loseAnswer()];

for (const provider of PROVIDERS.filter(({ scheme }) => scheme !== "s3")) {
  await describeOn(provider.server, `one winner on ${provider.name}`, (server) => {
    const bucket = useBucket(server);
    const sizes = [
      ["small objects", 6],
      ["objects in parts", 9 * MIB],
    ] as const;
    it.each(sizes)("of create-only and of replacing writes of equal bytes, %s", async (_, size) => {
      const place = await Place.open(provider, server, bucket());
      const body = Buffer.alloc(size, "locked");
      let count = 0;
      const on = ({ operation }: { operation: string }) =>
        ["write", provider.scheme === "gs" ? "part" : "commit"].includes(operation) && count++ % 3 === 2;
      for (const fault of FAULTS) {
        place.proxy.plant({ on, times: ROUNDS, fault });
        for (let round = 0; round < 2 * ROUNDS; round++) {
          const path = place.at(`${fault.name} ${round}`);
          const before = round % 2 === 0 ? undefined : await place.direct.write(path, "before");
          const condition = before === undefined ? { ifAbsent: true } : { ifMatch: before.etag };
          const writes = Array.from({ length: WRITERS }, () => place.storage.write(path, body, condition));
          const outcomes = await Promise.allSettled(writes);
          const winners = outcomes.filter(({ status }) => status === "fulfilled").length;
          const losses = outcomes.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
          const codes = losses.map((reason) => (isStorageError(reason) ? reason.code : String(reason)));
          const unknown = codes.filter((code) => code === "CommitUnknown").length;
          // A writer that cannot tell may be the winner.
          expect({ round, winners: winners + Math.min(1 - winners, unknown) }).toEqual({ round, winners: 1 });
          // An upload in parts to a server other than Google's is not resumed.
          const known = [before ? "PreconditionFailed" : "AlreadyExists", "CommitUnknown", "Unavailable"];
          for (const code of codes) expect(known.slice(0, provider.scheme === "gs" ? 3 : 2)).toContain(code);
          expect(await place.found(`${fault.name} ${round}`, body)).toBe(0);
        }
      }
      expect(place.proxy.requests.some(({ fault }) => fault !== undefined)).toBe(true);
      await place.leave({ uploads: false });
    });
  });
}
