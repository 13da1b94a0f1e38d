import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { MemoryLimiter } from "../../../../src/concurrency.js";
import { memoryLimiter } from "../../../../src/concurrency.js";
import type { WriteResult } from "../../../../src/fs/driver/driver.js";
import {
  type MultipartUpload,
  type Part,
  type UploadLimits,
  type UploadOptions,
  type UploadTarget,
  upload,
} from "../../../../src/fs/driver/upload.js";
import type { ByteStream } from "../../../../src/streams.js";

const LIMITS: UploadLimits = {
  maxSinglePut: 10,
  partSize: 10,
  maxPartSize: 1000,
  maxParts: 1000,
  partAlignment: 1,
  concurrency: 3,
  uniformParts: false,
};
const OLD = Buffer.from("old");

/** What can go wrong at the provider: the number of turns to wait before each step, and the step that fails. */
interface Faults {
  fail?: "whole" | "begin" | "commit" | "abort" | number;
  delay?: (step: string) => number;
  on?: (step: string) => void;
}

/** A provider in memory: what it stores, what it was asked, and what is still open at it. */
class Store implements UploadTarget<string> {
  object: Uint8Array = OLD;
  readonly calls: string[] = [];
  readonly open = new Set<number>();
  inFlight = 0;
  mostInFlight = 0;
  buffers: Uint8Array[] = [];

  constructor(
    readonly limits: UploadLimits = LIMITS,
    readonly faults: Faults = {},
  ) {}

  async putObject(data: Uint8Array, size: number, signal: AbortSignal): Promise<WriteResult> {
    this.calls.push(`whole ${size}`);
    this.buffers.push(data);
    await this.#step("whole", signal);
    this.object = Uint8Array.from(data);
    return { etag: "whole" };
  }

  async createUpload(): Promise<MultipartUpload<string>> {
    this.calls.push("begin");
    await this.#step("begin");
    const id = this.calls.length;
    this.open.add(id);
    const parts = new Map<string, Uint8Array>();
    return {
      uploadPart: (part, signal) => this.#part(parts, part, signal),
      complete: async (tags, size, signal) => {
        this.calls.push(`commit ${tags.length} ${size}`);
        await this.#step("commit", signal);
        this.object = Buffer.concat(tags.map((tag) => parts.get(tag)!));
        this.open.delete(id);
        return { etag: "parts" };
      },
      abort: async () => {
        this.calls.push(`abort with ${this.inFlight} in flight`);
        this.open.delete(id);
        await this.#step("abort");
      },
    };
  }

  async #part(parts: Map<string, Uint8Array>, part: Part, signal: AbortSignal): Promise<string> {
    const { index, offset, size, data, last } = part;
    this.calls.push(`part ${index} ${offset}+${size}${last ? " last" : ""}`);
    this.buffers.push(data);
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    try {
      const tag = `tag${index}`;
      await this.#step(index, signal);
      parts.set(tag, Uint8Array.from(data));
      return tag;
    } finally {
      this.inFlight -= 1;
    }
  }

  async #step(step: string | number, signal?: AbortSignal): Promise<void> {
    this.faults.on?.(`${step} starts`);
    for (let turns = this.faults.delay?.(String(step)) ?? 1; turns > 0; turns--) {
      await new Promise(setImmediate);
      signal?.throwIfAborted();
    }
    this.faults.on?.(`${step} ends`);
    signal?.throwIfAborted();
    if (this.faults.fail === step) throw new Error(`${step} failed`);
  }
}

const bytesOf = (size: number) => Uint8Array.from({ length: size }, (_, i) => (i * 31) % 251);

async function* chunked(data: Uint8Array, size: number): ByteStream {
  for (let at = 0; at < data.byteLength; at += size) yield data.subarray(at, at + size);
}

const send = (body: ByteStream, target: Store, options: Partial<UploadOptions> = {}) =>
  upload(body, target, {
    limiter: memoryLimiter(),
    size: undefined,
    signal: undefined,
    onProgress: undefined,
    ...options,
  });

/** A budget that knows what is out. */
function watched(limit: number): MemoryLimiter & { out: number; most: number } {
  const budget = memoryLimiter(limit);
  const self = {
    out: 0,
    most: 0,
    async acquireBuffer(bytes: number, signal?: AbortSignal) {
      return { data: Buffer.alloc(bytes), release: await self.acquire(bytes, signal) };
    },
    async acquire(bytes: number, signal?: AbortSignal) {
      const release = await budget.acquire(bytes, signal);
      self.out += bytes;
      self.most = Math.max(self.most, self.out);
      return () => {
        self.out -= bytes;
        release();
      };
    },
  };
  return self;
}

describe("how a body goes out", () => {
  test.each([
    [0, ["whole 0"]],
    [9, ["whole 9"]],
    [10, ["whole 10"]],
    [11, ["begin", "part 0 0+10", "part 1 10+1 last", "commit 2 11"]],
    [30, ["begin", "part 0 0+10", "part 1 10+10", "part 2 20+10 last", "commit 3 30"]],
  ])("W05 W06 %d bytes of known and of unknown size, in chunks of 4", async (size, calls) => {
    for (const known of [size, undefined]) {
      const store = new Store();
      const receipt = await send(chunked(bytesOf(size), 4), store, { size: known });
      expect(store.calls).toEqual(calls);
      expect(Buffer.compare(store.object, bytesOf(size))).toBe(0);
      expect(receipt.etag).toBe(size > 10 ? "parts" : "whole");
    }
  });

  test("a known size up to the single limit is one request even where parts would be smaller", async () => {
    const store = new Store({ ...LIMITS, maxSinglePut: 100 });
    await send(chunked(bytesOf(100), 7), store, { size: 100 });
    expect(store.calls).toEqual(["whole 100"]);
  });

  test("a provider without single requests gets a session even for nothing", async () => {
    const store = new Store({ ...LIMITS, maxSinglePut: -1 });
    await send(chunked(bytesOf(0), 1), store);
    expect(store.calls).toEqual(["begin", "part 0 0+0 last", "commit 1 0"]);
  });

  test("W18 a body in one chunk of known size is sent as it is, in one request and in slices", async () => {
    for (const size of [8, 25]) {
      const store = new Store();
      const data = bytesOf(size);
      const limiter = watched(1);
      await send(chunked(data, size), store, { size, limiter });
      expect(store.buffers.every(({ buffer }) => buffer === data.buffer)).toBe(true);
      expect(limiter.most).toBe(0);
      expect(Buffer.compare(store.object, data)).toBe(0);
    }
  });

  test("W18 a producer may reuse its memory for the next chunk", async () => {
    async function* reusing(): ByteStream {
      const memory = new Uint8Array(7);
      for (let i = 0; i < 9; i++) yield memory.fill(i);
      memory.fill(255);
    }
    for (const size of [undefined, 63]) {
      const store = new Store();
      await send(reusing(), store, { size });
      expect([...store.object]).toEqual(Array.from({ length: 63 }, (_, i) => Math.floor(i / 7)));
    }
  });

  test("W07 20 MiB in chunks of 1 byte and in one chunk of unknown size: same object, time in proportion", async () => {
    const limits = { ...LIMITS, maxSinglePut: 2 ** 20, partSize: 2 ** 20, maxPartSize: 2 ** 30 };
    const data = bytesOf(2 ** 20 * 2 + 1);
    const time = async (length: number) => {
      const store = new Store(limits);
      const before = performance.now();
      await send(chunked(data.subarray(0, length), 1), store);
      expect(Buffer.compare(store.object, data.subarray(0, length))).toBe(0);
      return performance.now() - before;
    };
    await time(2 ** 16);
    const [quarter, full] = [await time(2 ** 19), await time(2 ** 21)];
    expect(full).toBeLessThan(quarter * 16);
    const store = new Store(limits);
    const large = bytesOf(20 * 2 ** 20);
    await send(chunked(large, large.byteLength), store);
    expect(Buffer.compare(store.object, large)).toBe(0);
  });

  test("parts grow with an unknown size and hold their multiple", async () => {
    const store = new Store({ ...LIMITS, maxParts: 10, partSize: 12, maxSinglePut: 12, partAlignment: 4 });
    await send(chunked(bytesOf(100), 9), store);
    expect(store.calls.slice(1, 5)).toEqual(["part 0 0+12", "part 1 12+24", "part 2 36+48", "part 3 84+16 last"]);
  });

  test("W24 the exact byte that no part is left for is TooLarge, and the upload is aborted", async () => {
    const limits = { ...LIMITS, maxParts: 3, uniformParts: true };
    const store = new Store(limits);
    await expect(send(chunked(bytesOf(31), 31), store)).rejects.toMatchObject({ code: "TooLarge" });
    expect([store.object, store.open.size, store.calls.at(-1)]).toEqual([OLD, 0, "abort with 0 in flight"]);
    await send(chunked(bytesOf(30), 31), new Store(limits));
    const known = new Store({ ...limits, maxPartSize: 10 });
    await expect(send(chunked(bytesOf(31), 31), known, { size: 31 })).rejects.toMatchObject({ code: "TooLarge" });
    expect(known.calls).toEqual([]);
  });

  test.each([
    [5, 9],
    [25, 24],
    [25, 26],
    [20, 21],
    [9, 5],
  ])("W09 a size of %d for a body of %d bytes fails before the object changes", async (size, real) => {
    for (const chunk of [1, real]) {
      const store = new Store();
      const sent = send(chunked(bytesOf(real), chunk), store, { size });
      await expect(sent).rejects.toMatchObject({ code: "InvalidArgument" });
      expect([store.object, store.open.size]).toEqual([OLD, 0]);
      expect(store.calls.filter((call) => /commit|last|whole/.test(call))).toEqual([]);
    }
  });

  test("progress grows with every part and ends at the size", async () => {
    const seen: number[] = [];
    const store = new Store(LIMITS, { delay: (step) => (step === "0" ? 9 : 1) });
    await send(chunked(bytesOf(45), 45), store, { onProgress: (bytes) => seen.push(bytes) });
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect([seen.length, seen.at(-1)]).toEqual([5, 45]);
  });
});

describe("memory and pace", () => {
  test("W17 the producer rests while the lanes and one part ahead are full", async () => {
    let produced = 0;
    async function* body(): ByteStream {
      for (; produced < 200; produced += 5) yield bytesOf(5);
    }
    let gate = () => {};
    const held = new Promise<void>((resolve) => (gate = resolve));
    const store = new Store(LIMITS);
    const begin = store.createUpload.bind(store);
    store.createUpload = async () => {
      const session = await begin();
      const slow: MultipartUpload<string> = {
        ...session,
        uploadPart: (part, signal) => held.then(() => session.uploadPart(part, signal)),
      };
      return slow;
    };
    const sent = send(body(), store);
    for (let i = 0; i < 200; i++) await new Promise(setImmediate);
    expect(produced).toBeLessThanOrEqual((LIMITS.concurrency + 1) * LIMITS.partSize + 5);
    expect(produced).toBeGreaterThanOrEqual(LIMITS.concurrency * LIMITS.partSize);
    gate();
    await sent;
    expect(store.mostInFlight).toBe(LIMITS.concurrency);
  });

  test("the budget bounds what is in buffers, and everything is given back", async () => {
    const limiter = watched(20);
    const store = new Store({ ...LIMITS, maxSinglePut: 5, concurrency: 8 });
    const size = 300;
    await Promise.all([
      send(chunked(bytesOf(size), 11), store, { limiter, size }),
      send(chunked(bytesOf(size), 13), store, { limiter, size }),
    ]);
    expect([limiter.most, limiter.out]).toEqual([20, 0]);
  });

  test("a small body of unknown size takes nothing from the budget, so it is not held up by large ones", async () => {
    const limiter = watched(10);
    await limiter.acquire(10);
    const store = new Store({ ...LIMITS, maxSinglePut: 1000, partSize: 1000 });
    await send(chunked(bytesOf(500), 100), store, { limiter });
    expect(store.calls).toEqual(["whole 500"]);
  });

  test("the body is read while the upload begins", async () => {
    let pulled = 0;
    async function* body(): ByteStream {
      for (; pulled < 4; pulled++) yield bytesOf(LIMITS.partSize);
    }
    const store = new Store(LIMITS);
    const begin = store.createUpload.bind(store);
    let readMeanwhile = 0;
    store.createUpload = async () => {
      for (let i = 0; i < 50; i++) await new Promise(setImmediate);
      readMeanwhile = pulled;
      return begin();
    };
    await send(body(), store);
    expect(readMeanwhile).toBeGreaterThanOrEqual(LIMITS.concurrency);
    expect(store.object.byteLength).toBe(4 * LIMITS.partSize);
  });

  test("with one lane, parts go strictly one after the other", async () => {
    const store = new Store({ ...LIMITS, concurrency: 1 }, { delay: (step) => 5 - Number(step) });
    await send(chunked(bytesOf(50), 7), store);
    expect(store.mostInFlight).toBe(1);
    expect(store.calls.slice(1, 6).map((call) => call.split(" ")[1])).toEqual(["0", "1", "2", "3", "4"]);
  });
});

describe("failures", () => {
  test("W10 the body's own error comes out untouched, and nothing is left", async () => {
    const mine = { not: "even an Error" };
    for (const after of [0, 5, 15, 40]) {
      async function* failing(): ByteStream {
        yield* chunked(bytesOf(after), 5);
        throw mine;
      }
      const store = new Store();
      const limiter = watched(100);
      await expect(send(failing(), store, { limiter })).rejects.toBe(mine);
      expect([store.object, store.open.size, limiter.out]).toEqual([OLD, 0, 0]);
    }
  });

  test("F26 the first error wins over the ones that follow from it, and over a failing abort", async () => {
    const store = new Store(LIMITS, { fail: 1 });
    const begin = store.createUpload.bind(store);
    store.createUpload = async () => ({ ...(await begin()), abort: () => Promise.reject(new Error("abort failed")) });
    await expect(send(chunked(bytesOf(100), 9), store)).rejects.toThrow("1 failed");
    expect(store.calls.filter((call) => call.startsWith("commit"))).toEqual([]);
  });

  test("nothing is committed when the last part fails", async () => {
    const store = new Store(LIMITS, { fail: 4 });
    await expect(send(chunked(bytesOf(50), 10), store)).rejects.toThrow("4 failed");
    expect(store.calls.filter((call) => call.startsWith("commit"))).toEqual([]);
  });

  test("the session is aborted once, after every part has ended", async () => {
    const store = new Store(LIMITS, { fail: 2, delay: (step) => (step === "2" ? 1 : 20) });
    await expect(send(chunked(bytesOf(100), 100), store)).rejects.toThrow("2 failed");
    expect(store.calls.filter((call) => call.startsWith("abort"))).toEqual(["abort with 0 in flight"]);
  });

  test("a body that is stuck does not outlive an abort or a failed part, and is told to stop", async () => {
    for (const cause of ["signal", "part"]) {
      let told = false;
      const abort = new AbortController();
      const stuck: ByteStream = {
        [Symbol.asyncIterator]() {
          const inner = chunked(bytesOf(25), 5)[Symbol.asyncIterator]();
          return {
            next: async () => {
              const step = await inner.next();
              return step.done ? new Promise(() => {}) : step;
            },
            return: async () => {
              told = true;
              return { done: true, value: undefined };
            },
          };
        },
      };
      const store = new Store(LIMITS, cause === "part" ? { fail: 1, delay: () => 20 } : {});
      const sent = send(stuck, store, { signal: abort.signal });
      if (cause === "signal") setTimeout(() => abort.abort("enough"), 10);
      if (cause === "signal") await expect(sent).rejects.toBe("enough");
      else await expect(sent).rejects.toThrow("1 failed");
      expect([told, store.open.size, store.object]).toEqual([true, 0, OLD]);
    }
  });

  test("a failure waits for a healthy body to close what it has open", async () => {
    let closed = false;
    async function* body(): ByteStream {
      try {
        for (;;) yield bytesOf(5);
      } finally {
        await new Promise((resolve) => setTimeout(resolve, 20));
        closed = true;
      }
    }
    await expect(send(body(), new Store({ ...LIMITS, maxParts: 2, uniformParts: true }))).rejects.toThrow("TooLarge");
    expect(closed).toBe(true);
  });

  test("F33 an abort while the session is being opened still leaves no session", async () => {
    const abort = new AbortController();
    const store = new Store(LIMITS, {
      delay: (step) => (step === "begin" ? 10 : 1),
      on: (step) => step === "begin starts" && setImmediate(() => abort.abort("enough")),
    });
    await expect(send(chunked(bytesOf(50), 10), store, { signal: abort.signal })).rejects.toBe("enough");
    expect([store.calls, store.open.size]).toEqual([["begin", "abort with 0 in flight"], 0]);
  });

  test("an aborted signal sends nothing and does not touch the body", async () => {
    const store = new Store();
    const body: ByteStream = {
      [Symbol.asyncIterator]() {
        throw new Error("touched");
      },
    };
    await expect(send(body, store, { signal: AbortSignal.abort("before") })).rejects.toBe("before");
    expect(store.calls).toEqual([]);
  });

  test("F33 random schedules of faults, delays and aborts: the object is old or new, and nothing is left", async () => {
    const fail = fc.option(
      fc.oneof(fc.constantFrom("whole", "begin", "commit", "abort", "body") as fc.Arbitrary<string>, fc.nat(6)),
      { nil: undefined },
    );
    const schedule = fc.record({
      size: fc.nat(70),
      known: fc.boolean(),
      chunk: fc.integer({ min: 1, max: 30 }),
      parallel: fc.integer({ min: 1, max: 4 }),
      limit: fc.integer({ min: 1, max: 60 }),
      fail,
      delays: fc.array(fc.nat(6), { minLength: 12, maxLength: 12 }),
      abortAt: fc.option(fc.nat(40), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(
        schedule,
        async ({ size, known, chunk, parallel: concurrency, limit, fail, delays, abortAt }) => {
          let tick = 0;
          const abort = new AbortController();
          const reason = { why: "the caller" };
          const on = () => tick++ === abortAt && abort.abort(reason);
          const store = new Store(
            { ...LIMITS, concurrency },
            {
              ...(fail !== undefined && { fail: fail as number }),
              delay: (step) => delays[(step.length * 5 + Number(step) || 0) % 12]!,
              on,
            },
          );
          async function* body(): ByteStream {
            for await (const piece of chunked(bytesOf(size), chunk)) {
              on();
              if (delays[tick % 12]! > 3) await new Promise(setImmediate);
              yield piece;
            }
            if (fail === "body") throw reason;
          }
          const limiter = watched(limit);
          const signal = abort.signal;
          const outcome = await send(body(), store, { limiter, signal, size: known ? size : undefined }).then(
            () => "new",
            (error) => error,
          );
          expect(store.open.size).toBe(0);
          expect(limiter.out).toBe(0);
          expect(store.inFlight).toBe(0);
          if (outcome === "new") expect(Buffer.compare(store.object, bytesOf(size))).toBe(0);
          else {
            expect(store.object).toBe(OLD);
            if (outcome === reason) expect(fail === "body" || signal.aborted).toBe(true);
            else expect(outcome.message).toBe(`${fail} failed`);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
