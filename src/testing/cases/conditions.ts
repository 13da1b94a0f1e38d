import assert from "node:assert/strict";
import { isStorageError } from "../../errors.js";
import type { Spec, TestContext } from "../bench.js";
import { expectRejection, gate, MIB, noise, stream } from "../bench.js";

/** More than one part with any driver. */
const LARGE = 20 * MIB;

async function increment(context: TestContext): Promise<void> {
  for (;;) {
    const { etag } = await context.stat("n");
    try {
      const count = Buffer.from(await context.bytes("n", { ifMatch: etag })).toString();
      await context.write("n", String(Number(count) + 1), { ifMatch: etag });
      return;
    } catch (error) {
      if (!isStorageError(error, "PreconditionFailed")) throw error;
    }
  }
}

/** Conditions that the provider does not enforce are refused before anything is written. */
async function refusesConditions(context: TestContext): Promise<void> {
  await context.write("x", "1");
  const ifMatch = await context.etag("x");
  for (const body of ["2", stream(noise(LARGE))]) {
    await expectRejection(context.write("y", body, { ifAbsent: true }), "Unsupported");
    await expectRejection(context.write("x", "2", { ifMatch }), "Unsupported");
  }
  assert.deepEqual(await context.all(), ["x"]);
  await context.holds("x", "1");
}

export const conditionCases: readonly Spec[] = [
  {
    id: "C01",
    title: "ifAbsent without an existing object",
    needs: ["conditions"],
    async run(context) {
      await context.write("x", "1", { ifAbsent: true });
      await context.holds("x", "1");
      await context.storage.delete(context.at("x"));
      await context.write("x", "2", { ifAbsent: true });
      await context.holds("x", "2");
    },
    without: refusesConditions,
  },
  {
    id: "C02",
    title: "ifAbsent with an existing object: AlreadyExists, the object stays",
    needs: ["conditions"],
    async run(context) {
      await context.write("x", "1");
      await expectRejection(context.write("x", "2", { ifAbsent: true }), "AlreadyExists");
      await expectRejection(context.write("x", "", { ifAbsent: true }), "AlreadyExists");
      await context.holds("x", "1");
      const etag = await context.etag("x");
      await expectRejection(context.write("x", "3", { ifAbsent: true, ifMatch: etag }), "InvalidArgument");
    },
    without: refusesConditions,
  },
  {
    id: "C03",
    title: "of many concurrent writes with ifAbsent exactly one succeeds",
    needs: ["conditions"],
    async run(context) {
      const bodies = Array.from({ length: 8 }, (_, i) => `writer ${i}`);
      const outcomes = await Promise.allSettled(bodies.map((body) => context.write("x", body, { ifAbsent: true })));
      const winners = bodies.filter((_, i) => outcomes[i]!.status === "fulfilled");
      assert.equal(winners.length, 1, `${winners.length} have succeeded`);
      await context.holds("x", winners[0]!);
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") await expectRejection(Promise.reject(outcome.reason), "AlreadyExists");
      }
    },
    without: refusesConditions,
  },
  {
    id: "C14",
    title: "of many concurrent writes of equal bytes with ifAbsent exactly one succeeds, and a later write fails",
    needs: ["conditions"],
    async run(context) {
      for (let round = 0; round < 3; round++) {
        const writes = Array.from({ length: 8 }, () => context.write(`lock ${round}`, "held", { ifAbsent: true }));
        const outcomes = await Promise.allSettled(writes);
        const winners = outcomes.filter(({ status }) => status === "fulfilled");
        assert.equal(winners.length, 1, `${winners.length} have succeeded`);
        for (const outcome of outcomes) {
          if (outcome.status === "rejected") await expectRejection(Promise.reject(outcome.reason), "AlreadyExists");
        }
        await expectRejection(context.write(`lock ${round}`, "held", { ifAbsent: true }), "AlreadyExists");
        await context.holds(`lock ${round}`, "held");
      }
    },
    without: refusesConditions,
  },
  {
    id: "C04",
    title: "a large write with ifAbsent that another writer overtakes fails and leaves nothing",
    needs: ["conditions"],
    async run(context) {
      const data = noise(LARGE);
      const { opened, open } = gate();
      const body = (async function* () {
        yield* stream(data.subarray(0, 12 * MIB));
        await opened;
        yield* stream(data.subarray(12 * MIB));
      })();
      const slow = context.write("x", body, { ifAbsent: true });
      await context.write("x", "quick");
      open();
      await expectRejection(slow, "AlreadyExists");
      await context.holds("x", "quick");
    },
    without: refusesConditions,
  },
  {
    id: "C05",
    title: "ifMatch with the current etag: the object is replaced and has a new etag",
    needs: ["conditions"],
    async run(context) {
      await context.write("x", "1");
      const first = await context.etag("x");
      await context.write("x", "2", { ifMatch: first });
      await context.holds("x", "2");
      assert.notEqual(await context.etag("x"), first);
      await context.write("x", stream(noise(LARGE)), { ifMatch: await context.etag("x") });
      await context.holds("x", noise(LARGE));
    },
    without: refusesConditions,
  },
  {
    id: "C06",
    title: "ifMatch with an older etag: PreconditionFailed, the object stays",
    needs: ["conditions"],
    async run(context) {
      await context.write("x", "1");
      const first = await context.etag("x");
      await context.write("x", "22");
      await expectRejection(context.write("x", "333", { ifMatch: first }), "PreconditionFailed");
      await expectRejection(context.write("x", stream(noise(LARGE)), { ifMatch: first }), "PreconditionFailed");
      await context.holds("x", "22");
    },
    without: refusesConditions,
  },
  {
    id: "C07",
    title: "ifMatch without an existing object: PreconditionFailed, no object is created",
    needs: ["conditions"],
    async run(context) {
      await context.write("x", "1");
      const etag = await context.etag("x");
      await context.storage.delete(context.at("x"));
      await expectRejection(context.write("x", "2", { ifMatch: etag }), "PreconditionFailed");
      await context.missing("x");
    },
    without: refusesConditions,
  },
  {
    id: "C08",
    title: "five writers that each increment ten times with ifMatch reach fifty",
    needs: ["conditions"],
    async run(context) {
      await context.write("n", "0");
      const writer = async () => {
        for (let i = 0; i < 10; i++) await increment(context);
      };
      await Promise.all(Array.from({ length: 5 }, writer));
      await context.holds("n", "50");
    },
    without: refusesConditions,
  },
  {
    id: "C09",
    title: "ifMatch detects a change to content of equal size within the same clock tick",
    needs: ["conditions"],
    async run(context) {
      await context.write("x", "one1");
      const first = await context.etag("x");
      await context.write("x", "two2");
      const second = await context.etag("x");
      assert.notEqual(second, first);
      await expectRejection(context.write("x", "lost", { ifMatch: first }), "PreconditionFailed");
      await context.holds("x", "two2");
    },
    without: refusesConditions,
  },
  {
    id: "C11",
    title: "a read with ifMatch returns the version of that etag, or PreconditionFailed",
    async run(context) {
      await context.write("x", "1");
      const first = await context.etag("x");
      assert.equal(Buffer.from(await context.bytes("x", { ifMatch: first })).toString(), "1");
      await context.write("x", "22");
      await expectRejection(context.bytes("x", { ifMatch: first }), "PreconditionFailed");
      await expectRejection(context.storage.text(context.at("x"), { ifMatch: first, start: 1 }), "PreconditionFailed");
      await expectRejection(
        context.storage.ranges(context.at("x"), [{ end: 1 }], { ifMatch: first }),
        "PreconditionFailed",
      );
    },
  },
];
