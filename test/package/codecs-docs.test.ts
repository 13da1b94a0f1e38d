import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { codecs } from "../../src/codecs/index.js";
import { ANSWERS } from "../support/codecs-answers.js";

it("the table of answers in docs/codecs.md is what the tests check", () => {
  const page = readFileSync(new URL("../../docs/codecs.md", import.meta.url), "utf8");
  const rows = page.split("<!-- answers -->")[1]!.trim().split("\n\n")[0]!.split("\n").slice(2);
  const told = (answer: string) => answer || "empty";
  const expected = codecs.names.map((name) => {
    const { twice, empty, zeros, garbage } = ANSWERS[name];
    return `| ${name} | ${[twice, empty, zeros, garbage].map(told).join(" | ")} |`;
  });
  expect([...rows].sort()).toEqual(expected.sort());
});
