import assert from "node:assert/strict";
import type { Spec } from "../spec.js";
import { refused, rejectsWith } from "../tools.js";

export const writerCases: readonly Spec[] = [
  {
    id: "W12",
    title: "a writer that is left without close() stores nothing",
    async run(bench) {
      await bench.keepsOld(async () => {
        await (async () => {
          await using writer = bench.storage.writable(bench.at("x"));
          await writer.write("new");
        })();
        await using idle = bench.storage.writable(bench.at("y"));
        void idle;
      });
    },
  },
  {
    id: "W13",
    title: "a writer stores what was written; a second close gives the same, a later write is refused",
    async run(bench) {
      const writer = bench.storage.writable(bench.at("x"));
      await writer.write("one ");
      await writer.write(Buffer.from("two"));
      const receipt = await writer.close();
      assert.deepEqual(await writer.close(), receipt);
      await refused(writer.write("three"), "InvalidArgument");
      await bench.holds("x", "one two");
      const empty = bench.storage.writable(bench.at("empty"));
      await empty.close();
      await bench.holds("empty", "");
    },
  },
  {
    id: "W14",
    title: "a writer's abort after close is refused and the object stays; two aborts store nothing",
    async run(bench) {
      const writer = bench.storage.writable(bench.at("x"));
      await writer.write("kept");
      await writer.close();
      await refused(writer.abort(), "InvalidArgument");
      await bench.holds("x", "kept");
      const aborted = bench.storage.writable(bench.at("y"));
      await aborted.write("lost");
      await aborted.abort();
      await aborted.abort();
      await bench.missing("y");
    },
  },
  {
    id: "F33",
    title: "every verb rejects at once with the reason of a signal that has aborted",
    async run(bench) {
      await bench.write("x", "kept");
      const reason = new Error("enough");
      const init = { signal: AbortSignal.abort(reason) };
      const [x, y, { storage }] = [bench.at("x"), bench.at("y"), bench];
      const verbs: Record<string, () => Promise<unknown>> = {
        stat: () => storage.stat(x, init),
        exists: () => storage.exists(x, init),
        bytes: () => storage.bytes(x, init),
        text: () => storage.text(x, init),
        read: () => storage.read(x, init)[Symbol.asyncIterator]().next(),
        list: () => bench.entries(bench.base, init),
        glob: () => storage.glob(bench.at("*"), init).next(),
        copy: () => storage.copy(x, y, init),
        across: () => storage.copy(x, bench.at("x", bench.other), init),
        move: () => storage.move(x, y, init),
        delete: () => storage.delete(x, init),
        tree: () => storage.delete(bench.base, { ...init, recursive: true }),
      };
      for (const work of Object.values(verbs)) await rejectsWith(work(), reason);
      await bench.holds("x", "kept");
      await bench.missing("y");
    },
  },
];
