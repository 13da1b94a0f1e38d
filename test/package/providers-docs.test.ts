/** docs/stores/s3.md and the code agree. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseConnection } from "../../src/connections/index.js";
import { s3Options } from "../../src/fs/drivers/s3/connection.js";
import { profiles } from "../../src/fs/drivers/s3/profile.js";
import { ROOT } from "../support/installed.js";

const page = await readFile(join(ROOT, "docs/stores/s3.md"), "utf8");
const rows = page
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("`", "")),
  );

const optionsOf = (extra: object) =>
  s3Options(parseConnection(JSON.stringify({ conn_type: "aws", login: "a", password: "b", extra }), "c"), {});

test("the table of profiles is the profiles", () => {
  const [head = [], ...facts] = rows.slice(rows.findIndex(([first]) => first === "what the service has"));
  const providers = head.slice(1);
  const told = providers.map((provider, column) => {
    const own = facts.filter(([, ...cells]) => cells.length === providers.length && /^(yes|no)$/.test(cells[0] ?? ""));
    const named = own.filter(([name = ""]) => /^\w+$/.test(name));
    return [provider, Object.fromEntries(named.map(([name, ...cells]) => [name, cells[column] === "yes"]))];
  });
  expect(Object.fromEntries(told)).toEqual(profiles);
});

test("each fact of the table is explained, and no other", () => {
  const explained = [...page.matchAll(/^- `(\w+)`: /gm)].map(([, name]) => name);
  expect(explained).toEqual(Object.keys(profiles.aws));
});

describe("the profile is told by the endpoint", () => {
  const told = rows.filter(([first = "", second = ""]) => /^https?:/.test(first) && second in profiles);

  test("there are examples of it", () => expect(told.length).toBeGreaterThan(5));
  test.each(told)("%s: %s", (endpoint_url, provider) => expect(optionsOf({ endpoint_url }).provider).toBe(provider));
  test("none is AWS's", () => expect(optionsOf({}).provider).toBe("aws"));
  test.each(Object.keys(profiles))("unless the connection says %s", (provider) => {
    expect(optionsOf({ endpoint_url: "https://s3.us-west-004.backblazeb2.com", provider }).provider).toBe(provider);
  });
  test("a name that only ends like AWS's is not AWS's", () => {
    expect(optionsOf({ endpoint_url: "https://notamazonaws.com" }).provider).toBe("generic");
  });
});
