/** LangGraph's checkpointers with offloaded values: what of a thread is deleted, and when. */
import { randomUUID } from "node:crypto";
import { afterAll, describe, expect, test } from "vitest";
import { openStorage } from "../../../src/index.js";
import { offload, type SerializerProtocol } from "../../../src/runtimes/langgraph.js";
import { gate } from "../../../src/testing/bench.js";

const storage = openStorage({ env: {} });
afterAll(() => storage.close());

const DOCUMENT = "x".repeat(1000);
const thread = (thread_id: unknown) => ({ configurable: { thread_id } });

/** A checkpointer with a database of a Map; `reached` is called where a call has its values, before it has its row. */
class Saver {
  readonly rows = new Map<string, [string, Uint8Array]>();
  readonly log: string[] = [];
  reached: (call: string) => Promise<void> = async () => {};
  serde: SerializerProtocol = {
    dumpsTyped: async (value) => ["json", Buffer.from(JSON.stringify(value))],
    loadsTyped: async (_, data) => JSON.parse(Buffer.from(data as Uint8Array).toString()),
  };

  async put(config: ReturnType<typeof thread>, value: unknown): Promise<void> {
    await this.#row("put", config, value);
  }

  async putWrites(config: ReturnType<typeof thread>, value: unknown): Promise<void> {
    await this.#row("putWrites", config, value);
  }

  async deleteThread(id: unknown): Promise<void> {
    await this.reached("deleteThread");
    for (const name of this.rows.keys()) if (name.startsWith(`${id} `)) this.rows.delete(name);
    this.log.push(`deleted ${id}`);
  }

  async read(id: unknown, call = "put"): Promise<unknown> {
    const row = this.rows.get(`${id} ${call}`);
    return row && this.serde.loadsTyped(...row);
  }

  async #row(call: string, { configurable: { thread_id: id } }: ReturnType<typeof thread>, value: unknown) {
    const row = await this.serde.dumpsTyped(value);
    await this.reached(call);
    this.rows.set(`${id} ${call}`, row);
    this.log.push(`${call} ${id}`);
  }
}

function offloaded<S extends Saver>(saver: S, options: object = {}): { saver: S; objects: () => Promise<string[]> } {
  const path = `memory://langgraph/${randomUUID()}`;
  const objects = async () => {
    const found: string[] = [];
    for await (const entry of storage.list(path, { recursive: true }))
      found.push(String(entry.path).slice(path.length));
    return found;
  };
  return { saver: offload(saver, { storage, path, threshold: 10, cache: 0, ...options }), objects };
}

const turns = () => new Promise((resolve) => setTimeout(resolve, 20));

describe("a thread that is deleted while a call of it is under way", () => {
  test.each(["put", "putWrites"] as const)("%s: has no row whose object is gone", async (call) => {
    const { saver, objects } = offloaded(new Saver());
    const [stored, go] = [gate(), gate()];
    saver.reached = async (name) => {
      if (name !== call) return;
      stored.open();
      await go.opened;
    };
    const running = saver[call](thread("7"), DOCUMENT);
    await stored.opened;
    const deleting = saver.deleteThread("7");
    await turns();
    go.open();
    await Promise.all([running, deleting]);
    expect(saver.log).toEqual([`${call} 7`, "deleted 7"]);
    expect(await saver.read("7", call)).toBe(undefined);
    expect(await objects()).toEqual([]);
  });

  test("what is put during the deletion is stored after it; other threads do not wait", async () => {
    const { saver } = offloaded(new Saver(), { remember: "1m" });
    await saver.put(thread("7"), DOCUMENT);
    const [begun, go] = [gate(), gate()];
    saver.reached = async (name) => {
      if (name !== "deleteThread") return;
      begun.open();
      await go.opened;
    };
    const deleting = saver.deleteThread("7");
    await begun.opened;
    const later = saver.put(thread("7"), DOCUMENT);
    await saver.put(thread("8"), DOCUMENT);
    go.open();
    await Promise.all([deleting, later]);
    expect(saver.log.slice(1)).toEqual(["put 8", "deleted 7", "put 7"]);
    expect(await saver.read("7")).toBe(DOCUMENT);
  });

  test("calls that fail hold up nothing", async () => {
    const { saver, objects } = offloaded(new Saver());
    saver.reached = async (name) => {
      await turns();
      throw new Error(`no ${name}`);
    };
    const put = saver.put(thread("7"), DOCUMENT);
    const deleting = saver.deleteThread("7");
    const again = saver.put(thread("7"), DOCUMENT);
    await expect(put).rejects.toThrow("no put");
    await expect(deleting).rejects.toThrow("no deleteThread");
    await expect(again).rejects.toThrow("no put");
    saver.reached = async () => {};
    await saver.put(thread("7"), DOCUMENT);
    expect(await saver.read("7")).toBe(DOCUMENT);
    await saver.deleteThread("7");
    expect(await objects()).toEqual([]);
  });

  test("a call that a call of the same thread makes does not wait for the deletion that waits for both", async () => {
    class Nested extends Saver {
      override async put(config: ReturnType<typeof thread>, value: unknown): Promise<void> {
        await turns();
        await this.putWrites(config, value);
        await super.put(config, value);
      }
    }
    const { saver, objects } = offloaded(new Nested());
    const running = saver.put(thread("7"), DOCUMENT);
    await Promise.all([running, saver.deleteThread("7")]);
    expect(saver.log).toEqual(["putWrites 7", "put 7", "deleted 7"]);
    expect(await objects()).toEqual([]);
  });
});

describe("the id of a thread", () => {
  test("is a number or its text", async () => {
    const { saver, objects } = offloaded(new Saver());
    for (const id of [7, "8"]) await saver.put(thread(id), DOCUMENT);
    expect((await objects()).map((name) => name.slice(0, 5))).toEqual(["/t/7/", "/t/8/"]);
    await saver.deleteThread("7");
    await saver.deleteThread(8);
    expect(await objects()).toEqual([]);
    expect(saver.rows.size).toBe(0);
  });

  test.each([[null], [{}], [true], [7n], ["\ud800"]])("%s is refused before rows are touched", async (id) => {
    const { saver } = offloaded(new Saver());
    for (const call of [
      () => saver.put(thread(id), DOCUMENT),
      () => saver.putWrites(thread(id), DOCUMENT),
      () => saver.deleteThread(id),
    ])
      await expect((async () => call())()).rejects.toMatchObject({ code: "InvalidArgument" });
    expect(saver.log).toEqual([]);
  });

  test.each([[undefined], [""]])("%j is left to the checkpointer; its objects are shared", async (id) => {
    const { saver, objects } = offloaded(new Saver());
    await saver.put(thread(id), DOCUMENT);
    await saver.deleteThread(id);
    expect(saver.log).toEqual([`put ${id}`, `deleted ${id}`]);
    expect(await objects()).toHaveLength(1);
  });
});

test("a checkpointer that offloads already is refused after the options of the call", () => {
  const { saver } = offloaded(new Saver());
  expect(() => offloaded(saver, { threshhold: 1 })).toThrow(/unknown option "threshhold"/);
  expect(() => offloaded(saver)).toThrow("the checkpointer offloads already");
});
