/**
 * 10,000 random schedules of writers, clears, crashes, migrations and sweeps side by side, while hours pass: nothing that a row
 * refers to is deleted, and orphans go. `STOWAGE_TEST_SEED=…` repeats one schedule.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import { isStorageError } from "../../../src/errors.js";
import {
  BatchDeleteError,
  type DeleteFailure,
  type Driver,
  type DriverFactory,
} from "../../../src/fs/driver/driver.js";
import { memory } from "../../../src/fs/drivers/memory.js";
import { createStorage } from "../../../src/fs/open.js";
import type { Storage } from "../../../src/fs/storage.js";
import { withMoved } from "../../../src/xcom/layers/moved.js";
import { migrate } from "../../../src/xcom/operations/migrate.js";
import { rowReferences } from "../../../src/xcom/operations/references.js";
import { rowRewriter } from "../../../src/xcom/operations/rewriters.js";
import { sweep } from "../../../src/xcom/operations/sweep.js";
import { undoSweep } from "../../../src/xcom/operations/sweep-undo.js";
import { memoryRows } from "../../../src/xcom/rows/memory.js";
import type { RowKey, XComRows } from "../../../src/xcom/rows/rows.js";
import { XCom } from "../../../src/xcom/xcom.js";
import { all } from "../../support/all.js";
import { generator } from "../../support/random.js";

const SCHEDULES = Number(process.env.STOWAGE_TEST_SCHEDULES ?? 10_000);
const [BASE, TRASH, NEW] = ["memory://b/xcom", "memory://b/trash", "memory://b/new"];
const MINUTE = 60_000;
const GRACE = 60 * MINUTE;
const BEGIN = Date.UTC(2026, 0, 1);
const TASK = { dagId: "d", runId: "r", taskId: "t" };
const KEYS = ["a", "b", "c"];
/** The attempts of tasks: what one of them writes again has the same name. */
const ATTEMPTS = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"];

class World {
  readonly random: () => number;
  readonly wrong: string[] = [];
  readonly isBulk: boolean;
  readonly storage: Storage;
  readonly backend: XComObjectStorageBackend;
  readonly rows: XComRows;
  readonly xcom: XCom;
  readonly #table = memoryRows();
  #now = BEGIN;
  /** Writers between the object and its row: their pause is shorter than the grace. */
  #writing = 0;
  /** How much time passes at once when nothing is being written. */
  readonly #pace: number;

  constructor(seed: number) {
    this.random = generator(seed);
    this.#pace = this.random() < 0.5 ? MINUTE : 3 * GRACE;
    this.isBulk = this.random() < 0.25;
    const stores = memory();
    const drivers: DriverFactory = {
      schemes: stores.schemes,
      open: async (...args) => this.#store(await stores.open(...args)),
    };
    this.storage = createStorage({ drivers: [drivers as never] }) as never;
    this.rows = this.#gated(this.#table);
    this.backend = new XComObjectStorageBackend({ storage: this.storage, path: BASE, threshold: 0 });
    this.xcom = new XCom({ rows: this.rows, backend: this.backend });
    vi.setSystemTime(this.#now);
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random() * from.length)]!;
  }

  /** Lets time pass: seconds, or hours unless a value is being written. */
  pass(most = this.#writing > 0 ? MINUTE / 2 : this.#pace): void {
    this.#now += Math.floor(this.random() * most);
    vi.setSystemTime(this.#now);
  }

  async step<T>(work: () => Promise<T>): Promise<T> {
    for (let turns = Math.floor(this.random() * 4); turns > 0; turns--) await null;
    this.pass();
    return work();
  }

  async write(work: () => Promise<unknown>): Promise<void> {
    this.#writing += 1;
    await work().finally(() => {
      this.#writing -= 1;
    });
  }

  async references(): Promise<string[]> {
    return (await all(this.#table.list())).map(({ value }) => String(value));
  }

  async objects(path = BASE): Promise<string[]> {
    return (await all(this.storage.list(path, { recursive: true }))).map((entry) => String(entry.path)).sort();
  }

  #store(driver: Driver): Driver {
    return {
      ...driver,
      stat: (key, options) => this.step(() => driver.stat(key, options)),
      write: (key, ...rest) => this.step(() => driver.write(key, ...rest)),
      copy: (...args) => this.step(() => driver.copy(...args)),
      delete: (...args) => this.step(() => driver.delete(...args)),
      // Only sweeps delete with a condition.
      ...this.#conditional(driver),
      list: (...args) => this.#slowly(driver.list(...args)),
    };
  }

  /** Of most worlds as of files, of a quarter as of Amazon S3: many in one request, which compares etags. */
  #conditional(driver: Driver): Pick<Driver, "deleteIfMatch" | "deleteManyIfMatch"> {
    const one = async (key: string, etag: string) => {
      const seen = await driver.stat(key, { version: undefined, signal: undefined }).catch(() => undefined);
      if (seen?.etag === etag && (await this.references()).includes(`memory://b/${key}`))
        this.wrong.push(`deleted while a row refers to it: ${key}`);
      await driver.deleteIfMatch!(key, etag, { signal: undefined });
    };
    if (!this.isBulk) return { deleteIfMatch: (key, etag) => this.step(() => one(key, etag)) };
    const many: Driver["deleteManyIfMatch"] = (objects) =>
      this.step(async () => {
        const failures: DeleteFailure[] = [];
        for (const { key, ifMatch } of objects)
          await one(key, ifMatch).catch((error: unknown) => void failures.push({ key, error }));
        if (failures.length > 0) throw new BatchDeleteError(failures);
      });
    return { deleteIfMatch: undefined as never, deleteManyIfMatch: many };
  }

  async *#slowly<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const item of items) yield await this.step(async () => item);
  }

  #gated(rows: XComRows): XComRows {
    return {
      get: (...args) => this.step(() => rows.get(...args)),
      set: (...args) => this.step(() => rows.set(...args)),
      delete: (...args) => this.step(() => rows.delete(...args)),
      list: (...args) => this.#slowly(rows.list(...args)),
    };
  }
}

/** What goes on side by side. Whatever else changes rows or objects joins them here. */
const ACTORS: readonly ((world: World) => Promise<void>)[] = [
  writer,
  writer,
  rewriter,
  clearer,
  crasher,
  sweeper,
  sweeper,
  migrator,
];

async function writer(world: World): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await world.write(() => world.xcom.set({ ...TASK, key: world.pick(KEYS) }, i));
    await world.step(async () => {});
  }
}

/** An attempt whose first write never got its row, and which writes the same name again. */
async function rewriter(world: World): Promise<void> {
  const at: RowKey & { tiId: string } = { ...TASK, taskId: "again", key: "a", tiId: world.pick(ATTEMPTS) };
  if (world.random() < 0.5) await world.write(() => world.backend.storeValue(at, "a", "lost"));
  for (let i = 0; i < 3; i++) await world.step(async () => {});
  await world.write(() => world.xcom.set(at, "kept"));
}

async function clearer(world: World): Promise<void> {
  await world.step(async () => {});
  if (world.random() < 0.3) await world.xcom.clear(TASK);
  else await world.rows.delete({ ...TASK, key: world.pick(KEYS) });
}

/** Writers that end before the row. */
async function crasher(world: World): Promise<void> {
  for (const key of KEYS) if (world.random() < 0.5) await world.backend.storeValue(TASK, key, "lost");
}

async function sweeper(world: World): Promise<void> {
  for (let i = 0; i < 2; i++) {
    const removal = world.random() < 0.7 ? DELETE : { trash: TRASH };
    await swept(world, removal).catch((error: unknown) => {
      if (!isStorageError(error, "NotFound") || !error.detail.includes("no reference")) throw error;
    });
  }
}

/** Moves rows to another base path, is cut off at any time, and begins again. */
async function migrator(world: World): Promise<void> {
  const { storage } = world;
  for (let i = 0; i < 2; i++) {
    const cut = new AbortController();
    const onMigrated = () => {
      if (world.random() < 0.2) cut.abort();
    };
    const given = { storage, from: BASE, to: NEW, sources: [rowRewriter(world.rows)], concurrency: 2 };
    await migrate({ ...given, onMigrated, signal: cut.signal }).catch((error: unknown) => {
      const isEmpty = isStorageError(error, "NotFound") && error.detail.includes("no reference");
      if (!cut.signal.aborted && !isEmpty) throw error;
    });
  }
}

const DELETE = { delete: true };

function swept(world: World, removal: { delete?: boolean; trash?: string }) {
  const sources = [rowReferences(world.rows)];
  return sweep({
    storage: world.storage,
    path: BASE,
    sources,
    graceMs: GRACE,
    force: true,
    maxShare: 1,
    concurrency: 3,
    ...removal,
  });
}

async function checked(seed: number): Promise<{ wrong: string[]; removed: number; migrated: number }> {
  const world = new World(seed);
  await world.xcom.set({ ...TASK, taskId: "anchor", key: "a" }, 0);
  // In bulk, enough for a page that is read again.
  for (let i = 0; i < (world.isBulk ? 10 : 1); i++) await crasher(world);
  for (const tiId of ATTEMPTS) await world.backend.storeValue({ ...TASK, taskId: "again", tiId }, "a", "lost");
  world.pass(3 * GRACE);
  const before = (await world.objects()).length;
  await Promise.all(ACTORS.map((actor) => actor(world)));
  const { wrong } = world;
  const references = await world.references();
  const objects = new Set([...(await world.objects()), ...(await world.objects(NEW))]);
  const at = (path: string) => new XComObjectStorageBackend({ storage: world.storage, path });
  const reader = withMoved({ backend: at(NEW), from: at(BASE) });
  for (const { value, key } of await all(world.rows.list()))
    if ((await reader.loadValue(value).catch(() => "lost")) === "lost") wrong.push(`a row whose value is lost: ${key}`);
  for (const path of references) if (!objects.has(path)) wrong.push(`a row whose object is gone: ${path}`);
  vi.setSystemTime(Date.now() + 2 * GRACE);
  await swept(world, DELETE);
  const orphans = (await world.objects()).filter((path) => !references.includes(path));
  wrong.push(...orphans.map((path) => `an old orphan: ${path}`));
  const undone = await undoSweep({ storage: world.storage, path: BASE, trash: TRASH });
  if ((await world.objects(TRASH)).length !== undone.failed) wrong.push("the trash was not moved back");
  const migrated = references.filter((path) => path.startsWith(NEW)).length;
  return { wrong, removed: before + objects.size - references.length, migrated };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"] }));
afterEach(() => void vi.useRealTimers());

test(`${SCHEDULES} schedules delete nothing that a row refers to, and every old orphan`, {
  timeout: 300_000,
}, async () => {
  const given = process.env.STOWAGE_TEST_SEED;
  const first = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  const count = given === undefined ? SCHEDULES : 1;
  console.log(`schedules from the seed ${first}`);
  let [removed, migrated] = [0, 0];
  for (let seed = first; seed < first + count; seed++) {
    const done = await checked(seed);
    removed += done.removed;
    migrated += done.migrated;
    expect(done.wrong, `STOWAGE_TEST_SEED=${seed}`).toEqual([]);
  }
  expect(removed).toBeGreaterThan(count);
  if (given === undefined) expect(migrated).toBeGreaterThan(count / 10);
});
