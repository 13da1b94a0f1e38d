/** One call of each verb, and what must be true of the objects whatever becomes of it. */
import assert from "node:assert/strict";
import { all } from "../support/all.js";
import type { Operation } from "../support/operations.js";
import { content, MIB, type Place } from "./place.js";

export interface Verb {
  /** The request at which faults are aimed. */
  operation: Operation;
  /** What is there before, written past the proxy. */
  prepare(place: Place): Promise<unknown>;
  run(place: Place): Promise<unknown>;
  /** Throws unless the objects are in a state that the outcome allows. */
  check(place: Place, succeeded: boolean): Promise<void>;
}

const SIZE = 300_000;
export const OLD = content(1, SIZE);
const NEW = content(2, SIZE / 2);
/** More than goes in one request, so that it is sent in parts. */
export const LARGE = content(3, 9 * MIB);
const NAMES = ["a", "b", "c"];

const keep = (place: Place) => place.direct.write(place.at("x"), OLD);

/** Old or new, and new if and only if the call says so; a call that failed may have had its effect. */
async function replaced(place: Place, next: Uint8Array, succeeded: boolean): Promise<void> {
  const found = await place.found("x", OLD, next);
  assert.ok(succeeded ? found === 1 : found === 0 || found === 1, `x is ${found}, succeeded is ${succeeded}`);
}

async function listed(place: Place): Promise<string[]> {
  return (await all(place.storage.list(place.at("")))).map(({ path }) => path.name);
}

async function kept(place: Place, name: string): Promise<void> {
  assert.equal(await place.found(name, OLD), 0, `${name} has changed`);
}

/** Chunk by chunk: what was handed out before a failure must be the beginning of the one version there is. */
async function readPrefix(place: Place): Promise<void> {
  let at = 0;
  for await (const chunk of place.storage.read(place.at("x"))) {
    assert.ok(OLD.subarray(at, at + chunk.length).equals(chunk), `wrong bytes at ${at}`);
    at += chunk.length;
  }
  assert.equal(at, OLD.length, "a short read was told as a whole one");
}

const write = (data: Uint8Array, operation: Operation): Verb => ({
  operation,
  prepare: keep,
  run: (place) => place.storage.write(place.at("x"), data),
  check: (place, succeeded) => replaced(place, data, succeeded),
});

export const VERBS = {
  read: {
    operation: "read",
    prepare: keep,
    run: readPrefix,
    check: (place) => kept(place, "x"),
  },
  bytes: {
    operation: "read",
    prepare: keep,
    run: async (place) => assert.ok(OLD.equals(await place.storage.bytes(place.at("x"))), "wrong bytes"),
    check: (place) => kept(place, "x"),
  },
  stat: {
    operation: "stat",
    prepare: keep,
    run: async (place) => assert.equal((await place.storage.stat(place.at("x"))).size, SIZE),
    check: (place) => kept(place, "x"),
  },
  list: {
    operation: "list",
    prepare: (place) => Promise.all(NAMES.map((name) => place.direct.write(place.at(name), name))),
    run: async (place) => assert.deepEqual(await listed(place), NAMES),
    check: async () => {},
  },
  write: write(NEW, "write"),
  begin: write(LARGE, "begin"),
  part: write(LARGE, "part"),
  commit: write(LARGE, "commit"),
  copy: {
    operation: "copy",
    prepare: async (place) => {
      await keep(place);
      await place.direct.write(place.at("from"), NEW);
    },
    run: (place) => place.storage.copy(place.at("from"), place.at("x")),
    check: async (place, succeeded) => {
      await replaced(place, NEW, succeeded);
      assert.equal(await place.found("from", NEW), 0, "the source has changed");
    },
  },
  delete: {
    operation: "delete",
    prepare: keep,
    run: (place) => place.storage.delete(place.at("x")),
    check: async (place, succeeded) => {
      const found = await place.found("x", OLD);
      assert.ok(found === -1 || (!succeeded && found === 0), `x is ${found}, succeeded is ${succeeded}`);
    },
  },
  deleteBatch: {
    operation: "deleteBatch",
    prepare: (place) => Promise.all([...NAMES, "stays"].map((name) => place.direct.write(place.at(name), OLD))),
    run: (place) => place.storage.delete(NAMES.map((name) => place.at(name))),
    check: async (place, succeeded) => {
      await kept(place, "stays");
      const found = await Promise.all(NAMES.map((name) => place.found(name, OLD)));
      assert.ok(
        found.every((index) => index === -1 || (!succeeded && index === 0)),
        `there are ${found}`,
      );
    },
  },
} satisfies Record<string, Verb>;

export type VerbName = keyof typeof VERBS;
