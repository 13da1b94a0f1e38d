import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { MemoryLimiter } from "../../../src/concurrency.js";
import { memoryLimiter } from "../../../src/concurrency.js";
import { failure, isStorageError, type StorageError } from "../../../src/errors.js";
import type { Driver, DriverReadOptions, ObjectInfo } from "../../../src/fs/driver/driver.js";
import { memory } from "../../../src/fs/drivers/memory.js";
import { createStorage } from "../../../src/fs/open.js";
import { type LimitedReadRequest, readAllParallel, readParallel } from "../../../src/fs/parallel-read.js";
import type { ByteStream } from "../../../src/streams.js";
import { collect } from "../../../src/streams.js";

const MIB = 2 ** 20;
const RANGE = 8 * MIB;

const made = new Map<string, Buffer>();

/** Content of one version: every byte tells the version and where it is. */
const content = (version: number, size: number) => {
  const name = `${version} ${size}`;
  let data = made.get(name);
  if (data) return data;
  data = Buffer.alloc(size);
  made.set(name, data);
  for (let at = 0; at < size; at++) data[at] = (at * 7 + (at >> 8) * 13 + version * 101) & 255;
  return data;
};

/** What happens to the bodies, in the order in which they are asked for. */
interface Fault {
  /** After so many bytes of this body … */
  after: number;
  kind: "reset" | "short" | "long" | "hang" | "replace" | "replace-and-reset" | "delete-and-reset";
}

class Broken extends Error {}

/** One object behind a line that breaks. */
class Faulty implements Driver {
  readonly attributes = [];
  readonly attributesOnCopy = [];
  readonly asked: { start: number; end: number | undefined; ifMatch: string | undefined }[] = [];
  readonly open = new Set<number>();
  version = 1;
  gone = false;
  honest = true;
  mostOpen = 0;

  constructor(
    public size: number,
    readonly faults: (Fault | undefined)[] = [],
    readonly chunk = 1000,
  ) {}

  get info(): ObjectInfo {
    return { key: "k", size: this.size, modified: new Date(0), etag: `"${this.version}"` };
  }

  async setAttributes(): Promise<never> {
    throw failure("Unsupported", "not here");
  }

  async stat(): Promise<ObjectInfo> {
    if (this.gone) throw failure("NotFound", "gone");
    return this.info;
  }

  async read(
    _key: string,
    { start, end, ifMatch, signal }: DriverReadOptions,
  ): Promise<{ info: ObjectInfo; body: ByteStream }> {
    signal?.throwIfAborted();
    const fault = this.faults[this.asked.length];
    const id = this.asked.push({ start, end, ifMatch });
    if (this.gone) throw failure("NotFound", "gone");
    if (this.honest && ifMatch !== undefined && ifMatch !== this.info.etag) throw failure("PreconditionFailed", "no");
    await new Promise(setImmediate);
    const data = content(this.version, this.size).subarray(start, end);
    this.open.add(id);
    this.mostOpen = Math.max(this.mostOpen, this.open.size);
    return { info: this.info, body: this.#body(id, data, fault, signal) };
  }

  #body(id: number, data: Uint8Array, fault: Fault | undefined, signal: AbortSignal | undefined): ByteStream {
    const source = this.#chunks(data, fault, signal);
    const close = () => this.open.delete(id);
    return {
      [Symbol.asyncIterator]: () => ({
        async next() {
          try {
            const step = await source.next();
            if (step.done) close();
            return step;
          } catch (error) {
            close();
            throw error;
          }
        },
        async return() {
          close();
          return { done: true as const, value: undefined };
        },
      }),
    };
  }

  async *#chunks(
    data: Uint8Array,
    fault: Fault | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const until = fault ? Math.min(fault.after, data.byteLength) : data.byteLength;
    for (let at = 0; at < until; at += this.chunk) {
      await new Promise(setImmediate);
      signal?.throwIfAborted();
      yield data.subarray(at, Math.min(at + this.chunk, until));
    }
    if (!fault) return;
    await this.#strike(fault, signal);
    if (fault.kind === "replace") yield* this.#chunks(data.subarray(until), undefined, signal);
    if (fault.kind === "long") {
      yield* this.#chunks(data.subarray(until), undefined, signal);
      yield Buffer.from("too much");
    }
  }

  async #strike({ kind }: Fault, signal: AbortSignal | undefined): Promise<void> {
    if (kind.startsWith("replace")) this.version += 1;
    if (kind.startsWith("delete")) this.gone = true;
    if (kind.endsWith("reset")) throw new Broken("reset");
    if (kind === "hang") {
      await new Promise<void>((_, reject) => {
        if (signal?.aborted) reject(signal.reason);
        signal?.addEventListener("abort", () => reject(signal.reason));
      });
    }
  }

  codeOf(error: unknown) {
    return error instanceof Broken ? ("Unavailable" as const) : ("PermissionDenied" as const);
  }
  list(): never {
    throw new Error("not here");
  }
  write(): never {
    throw new Error("not here");
  }
  copy(): never {
    throw new Error("not here");
  }
  delete(): never {
    throw new Error("not here");
  }
  signedPost(): never {
    throw new Error("unused");
  }
  signedUrl(): never {
    throw new Error("not here");
  }
  async close() {}
}

const ALL = { start: 0, end: undefined, ifMatch: undefined, version: undefined, signal: undefined };
const wanted = (more: Partial<LimitedReadRequest> = {}): LimitedReadRequest => ({
  ...ALL,
  parallel: undefined,
  limiter: memoryLimiter(),
  ...more,
});

async function drain(driver: Driver, more: Partial<LimitedReadRequest> = {}): Promise<Uint8Array> {
  const { body } = await readParallel(driver, "k", wanted(more));
  return collect(body);
}

/** What was delivered before the failure, and the failure. */
async function partial(
  driver: Driver,
  more: Partial<LimitedReadRequest> = {},
): Promise<{ data: Buffer; error: unknown }> {
  const chunks: Uint8Array[] = [];
  try {
    const { body } = await readParallel(driver, "k", wanted(more));
    for await (const chunk of body) chunks.push(chunk);
    return { data: Buffer.concat(chunks), error: undefined };
  } catch (error) {
    return { data: Buffer.concat(chunks), error };
  }
}

describe("one line", () => {
  test.each(["reset", "short"] as const)(
    "F6 F8 a body that ends by %s is taken up at the byte reached, pinned",
    async (kind) => {
      const driver = new Faulty(10_000, [
        { after: 3_500, kind },
        { after: 100, kind },
      ]);
      expect(Buffer.compare(await drain(driver), content(1, 10_000))).toBe(0);
      expect(driver.asked).toEqual([
        { start: 0, end: undefined, ifMatch: undefined },
        { start: 3_500, end: 10_000, ifMatch: '"1"' },
        { start: 3_600, end: 10_000, ifMatch: '"1"' },
      ]);
      expect(driver.open.size).toBe(0);
    },
  );

  test("a range is resumed inside its own end, and an end past the object is clamped", async () => {
    const driver = new Faulty(10_000, [{ after: 500, kind: "short" }]);
    const data = await drain(driver, { start: 1_000, end: 3_000 });
    expect(Buffer.compare(data, content(1, 10_000).subarray(1_000, 3_000))).toBe(0);
    expect(driver.asked[1]).toEqual({ start: 1_500, end: 3_000, ifMatch: '"1"' });
    expect((await drain(driver, { start: 9_990, end: 20_000 })).byteLength).toBe(10);
    expect((await drain(driver, { start: 10_000, end: undefined })).byteLength).toBe(0);
  });

  test.each(["replace-and-reset", "delete-and-reset"] as const)(
    "F15 after %s the reader has a prefix of the first version and ObjectChanged",
    async (kind) => {
      const { data, error } = await partial(new Faulty(10_000, [{ after: 3_500, kind }]));
      expect(error).toMatchObject({ code: "ObjectChanged" });
      expect(Buffer.compare(data, content(1, 10_000).subarray(0, 3_500))).toBe(0);
    },
  );

  test("F15 a server that ignores the condition is caught by the etag of its answer", async () => {
    const driver = new Faulty(10_000, [{ after: 3_500, kind: "replace-and-reset" }]);
    driver.honest = false;
    const { data, error } = await partial(driver);
    expect(error).toMatchObject({ code: "ObjectChanged" });
    expect([data.byteLength, driver.open.size]).toEqual([3_500, 0]);
  });

  test("progress renews the number of resumes; five without progress are the end", async () => {
    const slow = new Faulty(
      20_000,
      Array.from({ length: 19 }, () => ({ after: 1_000, kind: "reset" as const })),
    );
    expect((await drain(slow)).byteLength).toBe(20_000);
    const stuck = new Faulty(
      10,
      Array.from({ length: 99 }, () => ({ after: 0, kind: "reset" as const })),
    );
    await expect(drain(stuck)).rejects.toThrow(Broken);
    expect(stuck.asked.length).toBe(6);
  });

  test("what does not pass by itself is not tried again", async () => {
    const driver = new Faulty(10_000, [{ after: 10, kind: "reset" }]);
    driver.codeOf = () => "PermissionDenied";
    await expect(drain(driver)).rejects.toThrow(Broken);
    expect(driver.asked.length).toBe(1);
  });

  test("F10 more bytes than promised is an error, and none of them is delivered", async () => {
    const { data, error } = await partial(new Faulty(10_000, [{ after: 500, kind: "long" }]));
    expect(error).toMatchObject({ code: "Corrupt" });
    expect(Buffer.compare(data, content(1, 10_000))).toBe(0);
  });

  test("R14 R17 leaving early and aborting free the line at once", async () => {
    const driver = new Faulty(100_000, [undefined, { after: 3_000, kind: "hang" }]);
    const { body } = await readParallel(driver, "k", wanted());
    for await (const _ of body) break;
    expect(driver.open.size).toBe(0);
    const abort = new AbortController();
    setTimeout(() => abort.abort("enough"), 10);
    await expect(drain(driver, { signal: abort.signal })).rejects.toBe("enough");
    expect(driver.open.size).toBe(0);
  });

  test("a line that comes when the reader has left is closed", async () => {
    const driver = new Faulty(10_000, [{ after: 1_000, kind: "short" }]);
    const { body } = await readParallel(driver, "k", wanted());
    const reader = body[Symbol.asyncIterator]();
    await reader.next();
    const pending = reader.next();
    while (driver.asked.length < 2) await new Promise(setImmediate);
    await reader.return?.();
    await pending;
    expect(driver.open.size).toBe(0);
  });

  test("an abort between two tries ends the waiting", async () => {
    const driver = new Faulty(
      10,
      Array.from({ length: 99 }, () => ({ after: 0, kind: "reset" as const })),
    );
    const abort = new AbortController();
    setTimeout(() => abort.abort("enough"), 30);
    await expect(drain(driver, { signal: abort.signal })).rejects.toBe("enough");
  });

  test("an empty range asks only whether the object is there", async () => {
    const driver = new Faulty(10);
    expect((await drain(driver, { start: 4, end: 4 })).byteLength).toBe(0);
    expect((await readAllParallel(driver, "k", wanted({ start: 4, end: 4 }))).byteLength).toBe(0);
    expect(driver.asked).toEqual([]);
    driver.gone = true;
    await expect(drain(driver, { start: 4, end: 4 })).rejects.toMatchObject({ code: "NotFound" });
  });
});

/** A limiter of so many bytes that says how many of them are granted, and were at most. */
function counting(total: number) {
  const inner = memoryLimiter(total, Number.POSITIVE_INFINITY);
  const granted = { now: 0, most: 0 };
  const limiter: MemoryLimiter = {
    acquireBuffer: inner.acquireBuffer,
    async acquire(bytes, signal) {
      const release = await inner.acquire(bytes, signal);
      granted.now += bytes;
      granted.most = Math.max(granted.most, granted.now);
      return () => {
        granted.now -= bytes;
        release();
      };
    },
  };
  return { limiter, inner, granted };
}

describe("several ranges of one version", () => {
  const CHUNK = 256 * 1024;

  test.each([0, 1, RANGE - 1, RANGE, RANGE + 1, 2 * RANGE + 3])(
    "R24 %d bytes: read in parallel and in one array equal the serial read",
    async (size) => {
      const whole = content(1, size);
      const requests = Math.max(1, Math.ceil(size / RANGE));
      for (const parallel of [2, 4]) {
        const a = new Faulty(size, [], CHUNK);
        expect(Buffer.compare(await drain(a, { parallel }), whole)).toBe(0);
        const b = new Faulty(size, [], CHUNK);
        expect(Buffer.compare(await readAllParallel(b, "k", wanted({ parallel })), whole)).toBe(0);
        expect([a.asked.length, b.asked.length]).toEqual([requests, requests]);
        expect(a.asked.slice(1).every(({ ifMatch }) => ifMatch === '"1"')).toBe(true);
      }
      const one = new Faulty(size, [], CHUNK);
      expect(Buffer.compare(await readAllParallel(one, "k", wanted()), whole)).toBe(0);
      expect(one.asked[0]!.end).toBe(undefined);
      // A response that comes as fast as this one is left alone.
      expect(one.asked.length).toBe(1);
      expect(one.open.size).toBe(0);
    },
  );

  test("a range with both ends is read in parallel inside them", async () => {
    const size = 3 * RANGE;
    const [start, end] = [5, 2 * RANGE + 100];
    const whole = content(1, size).subarray(start, end);
    const driver = new Faulty(size, [], CHUNK);
    expect(Buffer.compare(await drain(driver, { start, end, parallel: 3 }), whole)).toBe(0);
    expect(Buffer.compare(await readAllParallel(driver, "k", wanted({ start, end })), whole)).toBe(0);
    expect(driver.asked.every((range) => range.end !== undefined && range.end <= end)).toBe(true);
  });

  test("R09 a range past the end is empty, also in parallel", async () => {
    const driver = new Faulty(RANGE, [], CHUNK);
    for (const parallel of [undefined, 1, 4]) {
      expect((await drain(driver, { start: RANGE + 5, parallel })).byteLength).toBe(0);
      expect((await readAllParallel(driver, "k", wanted({ start: RANGE + 5, parallel }))).byteLength).toBe(0);
    }
  });

  test("the first byte waits for no second request", async () => {
    const driver = new Faulty(3 * RANGE, [], CHUNK);
    const first = driver.read.bind(driver);
    driver.read = (key, options) => (driver.asked.length > 0 ? new Promise(() => {}) : first(key, options));
    const { body } = await readParallel(driver, "k", wanted({ parallel: 4 }));
    const step = await body[Symbol.asyncIterator]().next();
    expect(step.done).toBe(false);
  });

  test("no more lines are open than asked for", async () => {
    const driver = new Faulty(6 * RANGE, [], CHUNK);
    await drain(driver, { parallel: 3 });
    expect(driver.mostOpen).toBe(3);
    const all = new Faulty(6 * RANGE, [], CHUNK);
    await readAllParallel(all, "k", wanted({ parallel: 2 }));
    expect(all.mostOpen).toBe(2);
  });

  test("ranges ahead hold the budget and give it back; without any, the read goes on by itself", async () => {
    const { limiter, inner, granted } = counting(RANGE);
    const whole = content(1, 4 * RANGE);
    expect(Buffer.compare(await drain(new Faulty(4 * RANGE, [], CHUNK), { parallel: 4, limiter }), whole)).toBe(0);
    expect(granted).toEqual({ now: 0, most: RANGE });
    const taken = await inner.acquire(RANGE);
    expect(Buffer.compare(await drain(new Faulty(4 * RANGE, [], CHUNK), { parallel: 4, limiter }), whole)).toBe(0);
    taken();
    const driver = new Faulty(4 * RANGE, [], CHUNK);
    const { body } = await readParallel(driver, "k", wanted({ parallel: 4, limiter }));
    for await (const _ of body) break;
    for (let i = 0; i < 200; i++) await new Promise(setImmediate);
    expect([granted.now, driver.open.size]).toEqual([0, 0]);
  });

  test("R22 a replacement between ranges is ObjectChanged, never a mixture", async () => {
    const faults: Fault[] = [{ after: RANGE / 2, kind: "replace" }];
    for (const parallel of [2, 3]) {
      const driver = new Faulty(4 * RANGE, faults, CHUNK);
      const { data, error } = await partial(driver, { parallel });
      expect(error).toMatchObject({ code: "ObjectChanged" });
      expect(Buffer.compare(data, content(1, 4 * RANGE).subarray(0, data.byteLength))).toBe(0);
      const all = new Faulty(4 * RANGE, faults, CHUNK);
      await expect(readAllParallel(all, "k", wanted({ parallel }))).rejects.toMatchObject({ code: "ObjectChanged" });
      expect(all.open.size).toBe(0);
    }
  });

  test("the first failure stops the other ranges, also one that hangs", async () => {
    const driver = new Faulty(
      4 * RANGE,
      [
        { after: CHUNK, kind: "hang" },
        { after: CHUNK, kind: "reset" },
      ],
      CHUNK,
    );
    driver.codeOf = () => "PermissionDenied";
    await expect(readAllParallel(driver, "k", wanted({ parallel: 2 }))).rejects.toThrow(Broken);
    expect(driver.open.size).toBe(0);
  });

  test("leaving a parallel read frees the ranges ahead at once, also ones that hang", async () => {
    const hang = { after: CHUNK, kind: "hang" as const };
    const driver = new Faulty(4 * RANGE, [undefined, hang, hang], CHUNK);
    const { body } = await readParallel(driver, "k", wanted({ parallel: 3 }));
    let seen = 0;
    for await (const _ of body) if (++seen === 20) break;
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
    expect([driver.asked.length, driver.open.size]).toEqual([3, 0]);
  });

  test("an abort ends all ranges", async () => {
    const hang = Array.from({ length: 4 }, () => ({ after: CHUNK, kind: "hang" as const }));
    for (const read of [
      drain,
      (d: Driver, more: Partial<LimitedReadRequest>) => readAllParallel(d, "k", wanted(more)),
    ]) {
      const driver = new Faulty(4 * RANGE, hang, CHUNK);
      const abort = new AbortController();
      setTimeout(() => abort.abort("enough"), 60);
      await expect(read(driver, { parallel: 4, signal: abort.signal })).rejects.toBe("enough");
      for (let i = 0; i < 50; i++) await new Promise(setImmediate);
      expect(driver.open.size).toBe(0);
    }
  });
});

describe("as many ranges as pay", () => {
  const CHUNK = 256 * 1024;
  const SIZE = 12 * RANGE;
  /** Milliseconds of a chunk at 80 MiB/s. */
  const COST = 3.125;
  let clock = 0;

  /** A line whose time passes with its chunks: `costOf` so many open responses. Nothing here waits. */
  class Line extends Faulty {
    /** Fails a request for a range that starts later. */
    refuse: ((others: number) => Error | undefined) | undefined;
    #pending = 0;

    constructor(
      size: number,
      readonly costOf: (open: number) => number = (open) => COST / open,
    ) {
      super(size, [], CHUNK);
    }

    override async read(key: string, options: DriverReadOptions) {
      const refusal = options.start > 0 ? this.refuse?.(this.open.size + this.#pending) : undefined;
      if (refusal) {
        this.asked.push(options);
        throw refusal;
      }
      this.#pending += 1;
      const { info, body } = await super.read(key, options).finally(() => {
        this.#pending -= 1;
      });
      const source = body[Symbol.asyncIterator]();
      const next = async () => {
        const step = await source.next();
        if (!step.done) clock += this.costOf(this.open.size);
        return step;
      };
      return { info, body: { [Symbol.asyncIterator]: () => ({ ...source, next }) } };
    }
  }

  beforeEach(() => {
    clock = 0;
    vi.spyOn(performance, "now").mockImplementation(() => clock);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const same = (data: Uint8Array, version = 1) => Buffer.compare(data, content(version, data.byteLength)) === 0;

  test("on a line that limits each connection, streams and arrays grow to several, all of one version", async () => {
    const stream = new Line(SIZE);
    expect(same(await drain(stream))).toBe(true);
    expect(stream.mostOpen).toBeGreaterThan(4);
    expect(stream.mostOpen).toBeLessThanOrEqual(8);
    const array = new Line(SIZE);
    expect(same(await readAllParallel(array, "k", wanted()))).toBe(true);
    expect(array.mostOpen).toBeGreaterThan(4);
    for (const { asked, open } of [stream, array]) {
      expect(asked[0]).toMatchObject({ start: 0, end: undefined, ifMatch: undefined });
      expect(asked.slice(1).every(({ ifMatch }) => ifMatch === '"1"')).toBe(true);
      expect(open.size).toBe(0);
    }
  });

  test("a copy to another store reads a large object over several connections", async () => {
    const line = new Line(SIZE);
    const far = { schemes: ["far"], open: () => line };
    const storage = createStorage({ drivers: [far, memory()] });
    await storage.copy("far://bucket/k", "memory://bucket/k");
    expect(line.mostOpen).toBeGreaterThan(4);
    expect(line.asked.slice(1).every(({ ifMatch }) => ifMatch === '"1"')).toBe(true);
    expect(line.open.size).toBe(0);
    expect(same(await storage.bytes("memory://bucket/k"))).toBe(true);
  });

  test("up to 16 MiB, with parallel: 1, and without an etag, a read is one request", async () => {
    const small = new Line(2 * RANGE);
    const fixed = new Line(SIZE);
    const uncertain = new Line(SIZE);
    Object.defineProperty(uncertain, "info", {
      get: () => ({ key: "k", size: SIZE, modified: new Date(0) }),
    });
    for (const [driver, parallel] of [
      [small, undefined],
      [fixed, 1],
      [uncertain, undefined],
    ] as const) {
      expect(same(await drain(driver, { parallel }))).toBe(true);
      expect(same(await readAllParallel(driver, "k", wanted({ parallel })))).toBe(true);
      expect(driver.asked.length).toBe(2);
    }
  });

  test("leaving before the first chunk closes the response", async () => {
    const driver = new Faulty(20 * MIB);
    const { body } = await readParallel(driver, "k", wanted());
    expect(driver.open.size).toBe(1);
    await body[Symbol.asyncIterator]().return?.();
    expect(driver.open.size).toBe(0);
  });

  test("a slow consumer is no slow line", async () => {
    const driver = new Line(SIZE, () => 0.1);
    const { body } = await readParallel(driver, "k", wanted());
    for await (const _ of body) clock += 100;
    expect(driver.asked.length).toBe(1);
  });

  test("a server that is slower with more connections is read over one again", async () => {
    const driver = new Line(3 * SIZE, (open) => (open === 1 ? COST : COST * open));
    expect(same(await drain(driver))).toBe(true);
    expect(driver.mostOpen).toBeLessThanOrEqual(4);
    const open = driver.asked.filter(({ end }) => end === undefined || end === 3 * SIZE);
    expect(open.length).toBeGreaterThan(1);
  });

  test("a server that answers no ranges is read in one response", async () => {
    for (const read of [drain, (driver: Driver) => readAllParallel(driver, "k", wanted())]) {
      const driver = new Line(SIZE);
      driver.refuse = () => new Error("ranges are not implemented");
      expect(same(await read(driver))).toBe(true);
      expect(driver.asked.length).toBeLessThanOrEqual(4);
    }
  });

  test("a server that throttles gets fewer requests, and the read does not fail", async () => {
    for (const read of [drain, (driver: Driver) => readAllParallel(driver, "k", wanted())]) {
      const driver = new Line(3 * SIZE);
      driver.refuse = (others) => (others >= 2 ? new Broken("503") : undefined);
      expect(same(await read(driver))).toBe(true);
      expect(driver.mostOpen).toBe(2);
      expect(driver.open.size).toBe(0);
    }
  });

  test("an object that is replaced before the first range is answered is read to its end as it was", async () => {
    const driver = new Line(SIZE);
    driver.refuse = () => {
      driver.version = 2;
      return undefined;
    };
    expect(same(await drain(driver))).toBe(true);
  });

  test("R22 one that is replaced later is ObjectChanged, never a mixture", async () => {
    const driver = new Line(3 * SIZE);
    driver.refuse = () => {
      if (driver.asked.length === 6) driver.version = 2;
      return undefined;
    };
    const { data, error } = await partial(driver);
    expect(error).toMatchObject({ code: "ObjectChanged" });
    expect(Buffer.compare(data, content(1, 3 * SIZE).subarray(0, data.byteLength))).toBe(0);
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
    expect(driver.open.size).toBe(0);
  });

  test("a thousand streams at once stay in the budget", async () => {
    const { limiter, granted } = counting(8 * RANGE);
    const size = 3 * RANGE;
    const lengths = await Promise.all(
      Array.from({ length: 1000 }, async () => {
        const { body } = await readParallel(new Line(size), "k", wanted({ limiter }));
        let length = 0;
        for await (const chunk of body) length += chunk.byteLength;
        return length;
      }),
    );
    expect(new Set(lengths)).toEqual(new Set([size]));
    expect(granted.now).toBe(0);
    expect(granted.most).toBeGreaterThan(0);
    expect(granted.most).toBeLessThanOrEqual(8 * RANGE);
  });
});

test("F6 F8 F10 F15 random faults: the reader has all of one version, or a prefix of it and a typed error", async () => {
  const kinds = ["reset", "short", "long", "replace", "replace-and-reset", "delete-and-reset"] as const;
  const fault = fc.option(fc.record({ after: fc.nat(40_000), kind: fc.constantFrom(...kinds) }), { nil: undefined });
  const schedule = fc.record({
    size: fc.nat(60_000),
    chunk: fc.integer({ min: 1_000, max: 20_000 }),
    faults: fc.array(fault, { maxLength: 4 }),
    range: fc.tuple(fc.nat(70_000), fc.nat(70_000)),
    honest: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(schedule, async ({ size, chunk, faults, range, honest }) => {
      const driver = new Faulty(size, faults, chunk);
      driver.honest = honest;
      const [start, end] = [Math.min(...range), Math.max(...range)];
      const { data, error } = await partial(driver, { start, end });
      const expected = content(1, size).subarray(start, end);
      expect(Buffer.compare(data, expected.subarray(0, data.byteLength))).toBe(0);
      if (error === undefined) expect(data.byteLength).toBe(expected.byteLength);
      else
        expect(isStorageError(error) && ["ObjectChanged", "Corrupt"].includes((error as StorageError).code)).toBe(true);
      expect(driver.open.size).toBe(0);
    }),
    { numRuns: 300 },
  );
});
