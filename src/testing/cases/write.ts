import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import type { ByteStream } from "../../streams.js";
import type { Spec } from "../bench.js";
import { broken, expectRejection, MIB, noise, rejectsWith, same, stream } from "../bench.js";

/** The size at which one request becomes several, here or at a provider. */
const THRESHOLD = 8 * MIB;
/** Bytes that a write may read ahead of what the server has accepted: the budget of a Storage and one more part. */
const AHEAD = 72 * MIB;

async function* pausing(data: Uint8Array, midway: () => Promise<void>): ByteStream {
  const half = data.byteLength >> 1;
  yield* stream(data.subarray(0, half));
  await midway();
  yield* stream(data.subarray(half));
}

export const writeCases: readonly Spec[] = [
  {
    id: "W01",
    title: "a read returns the written bytes, with the size and the etag of the WriteResult",
    async run(context) {
      const result = await context.write("x", Buffer.from("hello"));
      await context.holds("x", "hello");
      const info = await context.stat("x");
      assert.equal(info.size, 5);
      assert.equal(info.key, context.at("x").key);
      assert.ok(info.etag, "no etag");
      if (result.etag !== undefined) assert.equal(result.etag, info.etag);
      assert.ok(info.modified, "no time of modification");
      assert.ok(Math.abs(info.modified.getTime() - Date.now()) < 120_000, `modified ${info.modified.toISOString()}`);
    },
  },
  {
    id: "W02",
    title: "an empty object exists, has size 0 and yields no chunk",
    async run(context) {
      const bodies = [new Uint8Array(0), "", stream(new Uint8Array(0)), [new Uint8Array(0)]];
      for (const [i, body] of bodies.entries()) {
        await context.write(`${i}`, body);
        assert.equal((await context.stat(`${i}`)).size, 0);
        for await (const chunk of context.storage.read(context.at(`${i}`)))
          assert.fail(`a chunk of ${chunk.byteLength}`);
        await context.holds(`${i}`, "");
      }
    },
  },
  {
    id: "W03",
    title: "a second write replaces the first, and the etag",
    async run(context) {
      await context.write("x", "a first content that is longer");
      const first = await context.etag("x");
      await context.write("x", "second");
      await context.holds("x", "second");
      assert.notEqual(await context.etag("x"), first);
    },
  },
  {
    id: "W04",
    title: "text, buffers, views, Blobs and iterables store exactly their own bytes",
    async run(context) {
      const buffer = Uint8Array.from({ length: 100 }, (_, i) => i).buffer;
      const middle = new Uint8Array(buffer, 10, 5);
      const five = Uint8Array.of(10, 11, 12, 13, 14);
      await context.write("view", middle);
      await context.holds("view", five);
      await context.write("data-view", new DataView(buffer, 10, 5));
      await context.holds("data-view", five);
      await context.write("buffer", buffer.slice(10, 15));
      await context.holds("buffer", five);
      await context.write("blob", new Blob([middle]));
      await context.holds("blob", five);
      await context.write("iterable", [middle, "é"]);
      await context.holds("iterable", Uint8Array.of(...five, 0xc3, 0xa9));
      await context.write("text", "é😀");
      assert.equal(await context.storage.text(context.at("text")), "é😀");
      assert.equal((await context.stat("text")).size, 6);
      await expectRejection(context.write("wrong", [1, 2] as never), "InvalidArgument");
      await context.missing("wrong");
    },
  },
  {
    id: "W05",
    title: "a short stream of unknown length",
    async run(context) {
      const data = noise(100_000);
      await context.write("x", stream(data, 999));
      await context.holds("x", data);
    },
  },
  {
    id: "W06",
    title: "streams around the size where one request becomes several, of known and unknown length",
    async run(context) {
      const data = noise(THRESHOLD + 1);
      for (const size of [THRESHOLD - 1, THRESHOLD, THRESHOLD + 1]) {
        await context.write("unknown", stream(data.subarray(0, size)));
        await context.holds("unknown", data.subarray(0, size));
        await context.write("known", stream(data.subarray(0, size)), { size });
        await context.holds("known", data.subarray(0, size));
      }
    },
  },
  {
    id: "W07",
    title: "chunks of one byte and one chunk of 20 MiB",
    async run(context) {
      const small = noise(20_000);
      await context.write("small", stream(small, 1));
      await context.holds("small", small);
      const large = noise(20 * MIB);
      await context.write("large", [large]);
      await context.holds("large", large);
    },
  },
  {
    id: "W08",
    title: "a large object of unknown length is invisible until its write resolves",
    async run(context) {
      const data = noise(3 * THRESHOLD + MIB);
      const body = pausing(data, async () => {
        await context.missing("d/x");
        await expectRejection(context.bytes("d/x"), "NotFound");
        assert.deepEqual(await context.names(context.at("d")), []);
        assert.deepEqual(await context.all(), []);
      });
      await context.write("d/x", body);
      await context.holds("d/x", data);
    },
  },
  {
    id: "W09",
    title: "a wrong size is InvalidArgument, and the old object stays",
    async run(context) {
      const data = noise(1000);
      await context.keepsOld(async () => {
        for (const size of [0, 999, 1001, 10 * MIB]) {
          await expectRejection(context.write("x", data, { size }), "InvalidArgument", `size ${size}`);
          await expectRejection(
            context.write("x", stream(data, 100), { size }),
            "InvalidArgument",
            `streamed size ${size}`,
          );
        }
        await expectRejection(context.write("x", "", { size: -1 }), "InvalidArgument");
        await expectRejection(context.write("x", "", { size: 0.5 }), "InvalidArgument");
      });
    },
  },
  {
    id: "W10",
    title: "if the body throws, the write rejects with that error, and the old object stays",
    async run(context) {
      const error = new Error("the source broke");
      await context.keepsOld(async () => {
        for (const size of [0, 10, 100_000, 2 * THRESHOLD + MIB]) {
          await rejectsWith(context.write("x", broken(noise(size), error)), error);
          await rejectsWith(context.write("new", broken(noise(size), error)), error);
        }
      });
    },
  },
  {
    id: "W11",
    title: "an abort rejects with the reason of the signal, and the old object stays",
    async run(context) {
      const reason = new Error("enough");
      await context.keepsOld(async () => {
        await rejectsWith(context.write("x", "new", { signal: AbortSignal.abort(reason) }), reason);
        for (const size of [10, 2 * THRESHOLD + MIB]) {
          const abort = new AbortController();
          const stuck = pausing(noise(size), () => {
            abort.abort(reason);
            return new Promise(() => {});
          });
          await rejectsWith(context.write("x", stuck, { signal: abort.signal }), reason);
        }
      });
    },
  },
  {
    id: "W15",
    title: "of many concurrent writers on one key the last one to finish wins, with its complete object",
    async run(context) {
      const bodies = Array.from({ length: 8 }, (_, i) => noise(300_000, i + 1));
      await Promise.all(bodies.map((data) => context.write("x", stream(data))));
      const stored = await context.bytes("x");
      assert.ok(
        bodies.some((data) => Buffer.compare(data, stored) === 0),
        "a mix of writers",
      );
    },
  },
  {
    id: "W16",
    title: "parts uploaded in parallel are assembled in order",
    async run(context) {
      const data = noise(4 * THRESHOLD + 12_345);
      await context.write("x", stream(data), { size: data.byteLength });
      await context.holds("x", data);
    },
  },
  {
    id: "W17",
    title: "a body is not read far ahead of the accepted bytes, and progress ends at its size",
    async run(context) {
      const total = 96;
      const progress: number[] = [0];
      let ahead = 0;
      const chunk = noise(MIB);
      const body = (async function* () {
        for (let pulled = 1; pulled <= total; pulled++) {
          yield chunk;
          ahead = Math.max(ahead, pulled * MIB - progress.at(-1)!);
        }
      })();
      await context.write("x", body, { onProgress: (bytes) => progress.push(bytes) });
      assert.ok(ahead <= AHEAD, `${ahead} bytes ahead`);
      assert.equal(progress.at(-1), total * MIB);
      assert.deepEqual(
        progress,
        [...progress].sort((a, b) => a - b),
      );
      assert.equal((await context.stat("x")).size, total * MIB);
    },
  },
  {
    id: "W18",
    title: "a buffer may be reused once the next chunk is requested or the write has resolved",
    async run(context) {
      const data = noise(THRESHOLD + 70_000);
      await context.write("reused", stream(data, 70_000));
      await context.holds("reused", data);
      const once = Buffer.from("stored");
      await context.write("once", once);
      once.fill(0);
      await context.holds("once", "stored");
    },
  },
  {
    id: "W22",
    title: "a compressed object is read undecoded unless the caller requests decoding",
    async run(context) {
      const text = "compressible ".repeat(1000);
      await context.write("x.json.gz", text, { compression: "infer" });
      const raw = await context.bytes("x.json.gz");
      assert.equal((await context.stat("x.json.gz")).size, raw.byteLength);
      assert.ok(raw.byteLength < text.length / 4);
      same(gunzipSync(raw), text);
      assert.equal(await context.storage.text(context.at("x.json.gz"), { compression: "infer" }), text);
    },
  },
];
