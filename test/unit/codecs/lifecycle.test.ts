import { describe, expect, it } from "vitest";
import type { CodecName } from "../../../src/codecs/codec.js";
import { codecs } from "../../../src/codecs/index.js";
import { chunked, encode, noise, records, vectorBytes } from "../../support/codecs.js";

/** A file of each format large enough to give several chunks, compressed and not. */
const LARGE: Record<CodecName, string> = {
  zip: "large.zip",
  gzip: "large.gz",
  bz2: "level1.bz2",
  xz: "large.xz",
  lzma: "large.lzma",
  zstd: "large.zst",
  lz4: "large.lz4",
  snappy: "large.snappy",
};

/** A source that says whether it was ended. */
function watched(data: Uint8Array, size = 4096, repeat = 1) {
  const state = { ended: false, pulled: 0 };
  async function* pull() {
    try {
      for (let turn = 0; turn < repeat; turn++) {
        for await (const chunk of chunked(data, size)) {
          state.pulled += chunk.byteLength;
          yield chunk;
        }
      }
    } finally {
      state.ended = true;
    }
  }
  return { state, bytes: pull() };
}

const directions = (name: CodecName) => {
  const codec = codecs.get(name);
  const decoding = { how: "decoding", run: codec.decode, data: vectorBytes(LARGE[name]) };
  return [{ how: "encoding", run: codec.encode, data: noise(1_200_000) }, decoding];
};

describe.each(codecs.names)("%s", (name) => {
  describe.each(directions(name))("$how", ({ run, data }) => {
    it("ends its source when the reader leaves early", async () => {
      const { state, bytes } = watched(data);
      for await (const _ of run(bytes, {})) break;
      expect(state).toMatchObject({ ended: true });
    });

    it("ends its source when the whole is read", async () => {
      const { state, bytes } = watched(data);
      for await (const _ of run(bytes, {}));
      expect(state).toMatchObject({ ended: true, pulled: data.byteLength });
    });

    it("passes an error of its source on, untouched", async () => {
      const error = new Error("the source broke");
      async function* broken() {
        yield* chunked(data.subarray(0, 5000), 1000);
        throw error;
      }
      await expect(drain(run(broken(), {}))).rejects.toBe(error);
    });

    it("rejects with the signal's reason at once, also while the source is stuck", async () => {
      const abort = new AbortController();
      const reason = new Error("enough");
      async function* stuck() {
        yield* chunked(data.subarray(0, 5000), 1000);
        await new Promise(() => {});
      }
      const reading = drain(run(stuck(), { signal: abort.signal }));
      setTimeout(() => abort.abort(reason), 20);
      const start = performance.now();
      await expect(reading).rejects.toBe(reason);
      expect(performance.now() - start).toBeLessThan(5000);
    });

    it("rejects when the signal was aborted before", async () => {
      const { bytes } = watched(data);
      await expect(drain(run(bytes, { signal: AbortSignal.abort("late") }))).rejects.toBe("late");
    });
  });

  it("pulls no more than its reader takes, but for a bounded lead", async () => {
    const { state, bytes } = watched(records(1_000_000), 65536, 100);
    const encoded = codecs.get(name).encode(bytes)[Symbol.asyncIterator]();
    await encoded.next();
    await encoded.next();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(state.pulled).toBeLessThanOrEqual(32 * 1024 * 1024);
    await encoded.return?.();
    expect(state.ended).toBe(true);
  });
});

describe("a thousand decoders left early", () => {
  it("leave no native handles behind", async () => {
    const data = await encode("gzip", noise(1_200_000));
    const before = process.getActiveResourcesInfo().length;
    for (let turn = 0; turn < 1000; turn++) {
      for await (const _ of codecs.get("gzip").decode(chunked(data))) break;
    }
    expect(process.getActiveResourcesInfo().length).toBeLessThan(before + 20);
    expect(process.memoryUsage.rss()).toBeLessThan(600 * 1024 * 1024);
  });
});

async function drain(bytes: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of bytes);
}
