/** The two forms of the package, loaded into one process: what one makes the other takes. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { type Copy, crossings } from "../support/crossings.js";
import { manifest, ROOT } from "../support/installed.js";

const { exports } = await manifest();

async function form(condition: "module" | "default"): Promise<Copy> {
  const door = async <T>(path: string): Promise<T> => {
    const target = (exports[path] as Record<string, string>)[condition]!;
    return (await import(/* @vite-ignore */ pathToFileURL(join(ROOT, target)).href)) as T;
  };
  return {
    main: await door("."),
    core: await door("./core"),
    driver: await door("./driver"),
    xcom: await door("./xcom"),
    codecs: await door("./codecs"),
    tables: await door("./tables"),
  };
}

const [module, node] = [await form("module"), await form("default")];

test("the forms have a class of each name each", () => {
  expect(module.main.StoragePath).not.toBe(node.main.StoragePath);
});
describe("the form for bundlers takes what the form for Node made", () => {
  test.each(Object.entries(crossings(module, node)))("%s", (_, cross) => cross());
});
describe("the form for Node takes what the form for bundlers made", () => {
  test.each(Object.entries(crossings(node, module)))("%s", (_, cross) => cross());
});
