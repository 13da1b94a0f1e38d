/** What the calls of a schedule do, and what must then be stored. */
import assert from "node:assert/strict";
import { content, MIB, type Place } from "./place.js";
import type { Action } from "./schedule.js";

const SIZE = 300_000;
export const OLD = content(1, SIZE);
/** By another writer, as long as the old one, so that a length tells nothing. */
export const OTHERS = content(4, SIZE);
const NEW = content(2, SIZE / 2);
const LARGE_OLD = content(5, 9 * MIB);
const LARGE_OTHERS = content(6, 9 * MIB);
const LARGE = content(3, 9 * MIB);
const MANY = ["x", "y", "z"];

export interface Call {
  /** What is at `x` before; nothing when left out. */
  before?: Uint8Array;
  /** What another writer puts there. */
  others: Uint8Array;
  run(place: Place): Promise<unknown>;
  /** What may be at `x` when it has succeeded and nobody else wrote; `undefined` for nothing. */
  after?: Uint8Array | undefined;
}

async function* pieces(data: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += 100_000) yield data.subarray(at, at + 100_000);
}

/** The chunks of a read, one after the other, are the beginning of one of the versions; all of it at the end. */
async function readsOne(chunks: AsyncIterable<Uint8Array>, versions: readonly Uint8Array[]): Promise<void> {
  const parts: Uint8Array[] = [];
  const held = () => Buffer.concat(parts);
  const begins = (version: Uint8Array) => held().equals(version.subarray(0, held().length));
  try {
    for await (const chunk of chunks) parts.push(Uint8Array.from(chunk));
  } finally {
    assert.ok(versions.some(begins), "bytes of no version, or of several");
  }
  assert.ok(
    versions.some((version) => held().equals(version)),
    "a short read was told as a whole one",
  );
}

async function* once(data: Promise<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield await data;
}

const write = (data: Uint8Array, init: (place: Place) => Promise<object> = async () => ({})): Call => ({
  before: OLD,
  others: OTHERS,
  run: async (place) => place.storage.write(place.at("x"), data, await init(place)),
  after: data,
});
const absent = ({ others, ...call }: Call): Call => {
  const { before: _, ...rest } = call;
  return { ...rest, others };
};
const read = (run: (place: Place) => AsyncIterable<Uint8Array>, start = 0, end?: number): Call => ({
  before: OLD,
  others: OTHERS,
  run: (place) => readsOne(run(place), [OLD.subarray(start, end), OTHERS.subarray(start, end)]),
  after: OLD,
});

const ifMatch = async (place: Place) => ({ ifMatch: (await place.direct.stat(place.at("x"))).etag });
const ifAbsent = async () => ({ ifAbsent: true });

export const CALLS: Record<Action, Call> = {
  write: write(NEW),
  "write of a stream": { ...write(NEW), run: (place) => place.storage.write(place.at("x"), pieces(NEW)) },
  "write in parts": write(LARGE),
  "write if absent": absent(write(NEW, ifAbsent)),
  "write in parts if absent": absent(write(LARGE, ifAbsent)),
  "write if match": write(NEW, ifMatch),
  "write in parts if match": write(LARGE, ifMatch),
  read: read((place) => place.storage.read(place.at("x"))),
  "read of a range": read((place) => place.storage.read(place.at("x"), { start: 99, end: 200_001 }), 99, 200_001),
  bytes: read((place) => once(place.storage.bytes(place.at("x")))),
  "bytes in ranges": {
    before: LARGE_OLD,
    others: LARGE_OTHERS,
    run: (place) => readsOne(once(place.storage.bytes(place.at("x"), { parallel: 2 })), [LARGE_OLD, LARGE_OTHERS]),
    after: LARGE_OLD,
  },
  ranges: {
    before: LARGE_OLD,
    others: LARGE_OTHERS,
    run: async (place) => {
      const found = await place.storage.ranges(place.at("x"), [{ start: 5 * MIB, end: 5 * MIB + 7 }, { end: 9 }]);
      const cut = (data: Uint8Array) => [data.subarray(5 * MIB, 5 * MIB + 7), data.subarray(0, 9)];
      const same = (data: Uint8Array) => cut(data).every((part, i) => Buffer.from(part).equals(found[i]!));
      assert.ok(same(LARGE_OLD) || same(LARGE_OTHERS), "ranges of two versions");
    },
    after: LARGE_OLD,
  },
  list: {
    before: OLD,
    others: OTHERS,
    run: async (place) => {
      const found = [];
      for await (const { path, size } of place.storage.list(place.at(""), { recursive: true })) {
        found.push([path.name, size]);
      }
      assert.deepEqual(found, [
        ["from", NEW.length],
        ["x", SIZE],
        ["y", SIZE],
        ["z", SIZE],
      ]);
    },
    after: OLD,
  },
  copy: { ...write(NEW), run: (place) => place.storage.copy(place.at("from"), place.at("x")) },
  "copy if absent": absent({
    ...write(NEW),
    run: (place) => place.storage.copy(place.at("from"), place.at("x"), { ifAbsent: true }),
  }),
  move: { ...write(NEW), run: (place) => place.storage.move(place.at("from"), place.at("x")) },
  delete: { before: OLD, others: OTHERS, run: (place) => place.storage.delete(place.at("x")), after: undefined },
  "delete of many": {
    before: OLD,
    others: OTHERS,
    run: (place) => place.storage.delete(MANY.map((name) => place.at(name))),
    after: undefined,
  },
};

/** Puts what the calls need in its place, past the proxy. */
export async function prepare(place: Place, { before }: Call): Promise<void> {
  const all = Object.entries({ from: NEW, y: OLD, z: OLD, ...(before && { x: before }) });
  await Promise.all(all.map(([name, data]) => place.direct.write(place.at(name), data)));
}

/** Old, or new, or what another writer has put there; nothing is lost and nothing else is touched. */
export async function check(place: Place, action: Action, succeeded: boolean, replaced: boolean): Promise<void> {
  const { before, after, others } = CALLS[action];
  const allowed = [...(succeeded ? [] : [before]), after, ...(replaced ? [others] : [])];
  const stored = await place.stored("x");
  const same = (data: Uint8Array | undefined) => (data && stored ? Buffer.from(data).equals(stored) : data === stored);
  assert.ok(allowed.some(same), `${action}: x has ${stored?.length} bytes, succeeded is ${succeeded}`);
  if (action !== "move") assert.equal(await place.found("from", NEW), 0, "the source has changed");
  else
    assert.ok(
      (await place.found("from", NEW)) === 0 || same(NEW) || replaced,
      "the source is gone, and no copy is there",
    );
  if (action !== "delete of many") assert.equal(await place.found("y", OLD), 0, "a neighbour has changed");
}
