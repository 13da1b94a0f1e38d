/** Reads of the last bytes on drivers with and without suffix ranges. */
import { expect, test } from "vitest";
import { failure } from "../../../src/errors.js";
import type { Driver } from "../../../src/fs/driver/driver.js";
import { memory } from "../../../src/fs/drivers/memory.js";
import { createStorage } from "../../../src/fs/open.js";
import type { Storage } from "../../../src/fs/storage.js";

const AT = "memory://bucket/x";

/** A storage whose driver is changed by `change`. */
function storageWith(change: (driver: Driver) => Partial<Record<keyof Driver, unknown>>): Storage {
  const { schemes, open } = memory();
  return createStorage({
    drivers: [
      {
        schemes,
        async open(...given) {
          const driver = await open(...given);
          return { ...driver, ...change(driver) } as Driver;
        },
      },
    ],
  });
}

test("a driver without suffix ranges is asked for the size, and for the range of that version", async () => {
  const asked: unknown[] = [];
  const storage = storageWith((driver) => ({
    readLast: undefined,
    read: (key: string, options: Parameters<Driver["read"]>[1]) => {
      asked.push([options.start, options.end, options.ifMatch !== undefined]);
      return driver.read(key, options);
    },
  }));
  await storage.write(AT, "0123456789");
  expect(await storage.text(AT, { last: 3 })).toBe("789");
  expect(await storage.text(AT, { last: 30 })).toBe("0123456789");
  expect(asked).toEqual([
    [7, 10, true],
    [0, 10, true],
  ]);
});

test("an object that is replaced between size and range is ObjectChanged, but PreconditionFailed if the caller set a condition", async () => {
  const storage = storageWith((driver) => ({
    readLast: undefined,
    read: async (key: string, options: Parameters<Driver["read"]>[1]) => {
      await storage.write(AT, "another");
      return driver.read(key, options);
    },
  }));
  const { etag } = await storage.write(AT, "0123456789");
  await expect(storage.text(AT, { last: 3, ifMatch: etag })).rejects.toMatchObject({ code: "PreconditionFailed" });
  await expect(storage.text(AT, { last: 3 })).rejects.toMatchObject({ code: "ObjectChanged" });
});

test("a suffix range that breaks off goes on at the byte reached, in the same version", async () => {
  const asked: unknown[] = [];
  const storage = storageWith((driver) => ({
    readLast: async (...given: Parameters<NonNullable<Driver["readLast"]>>) => {
      const { info } = await driver.readLast!(...given);
      async function* broken() {
        yield Buffer.from("56");
        throw failure("Unavailable", "the connection broke");
      }
      return { info, body: broken() };
    },
    read: (key: string, options: Parameters<Driver["read"]>[1]) => {
      asked.push([options.start, options.end, options.ifMatch !== undefined]);
      return driver.read(key, options);
    },
  }));
  await storage.write(AT, "0123456789");
  expect(await storage.text(AT, { last: 5 })).toBe("56789");
  expect(asked).toEqual([[7, 10, true]]);
});

test("an undefined last is no option", async () => {
  const storage = storageWith(() => ({}));
  await storage.write(AT, "0123456789");
  expect(await storage.text(AT, { last: undefined, start: 8 })).toBe("89");
});
