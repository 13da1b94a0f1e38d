/** The recipes for Inngest, in the SDK's own test engine, and for AWS Lambda durable functions, in the SDK's local runner. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { InngestTestEngine } from "@inngest/test";
import { build } from "esbuild";
import { Inngest } from "inngest";
import { afterAll, expect, test } from "vitest";
import { nodeBinary } from "../../../../scripts/node-versions.mjs";
import { Claims } from "../../../../src/claims.js";
import { openStorage } from "../../../../src/index.js";
import { all } from "../../../support/all.js";
import { claimsMiddleware } from "./inngest.mjs";

const ROOT = join(import.meta.dirname, "../../../..");
const storage = openStorage({ env: {} });
afterAll(() => storage.close());

test("Inngest: events, outputs of steps and of functions are references, and functions see values", async () => {
  const path = "memory://recipes/inngest";
  const claims = new Claims({ storage, path, threshold: 100_000 });
  const inngest = new Inngest({ id: "app", middleware: [claimsMiddleware(claims)] });
  const seen: unknown[] = [];
  const large = "x".repeat(500_000);
  const report = inngest.createFunction({ id: "report", triggers: [{ event: "report" }] }, async ({ event, step }) => {
    seen.push(event.data.text.length);
    const upper = await step.run("upper", async () => event.data.text.toUpperCase());
    seen.push(upper.length);
    return `${upper}!`;
  });
  const data = await claims.value({ text: large });
  expect(JSON.stringify(data).length).toBeLessThan(500);
  const engine = new InngestTestEngine({
    function: report as never,
    events: [{ name: "report", data: data as never }],
  });
  const step = await engine.executeStep("upper");
  expect(JSON.stringify(step.result).length).toBeLessThan(500);
  expect(await claims.resolve(step.result)).toBe(large.toUpperCase());
  const { result } = await engine.execute();
  expect(await claims.resolve(result)).toBe(`${large.toUpperCase()}!`);
  expect(seen.at(-1)).toBe(500_000);
  expect(await all(storage.list(path, { recursive: true }))).toHaveLength(3);
});

// A test that says at the end of each run what was not done.
test.skip("Inngest: a run on its own server [inngest-cli is a binary that its package downloads from elsewhere]", () => {});

test("Inngest: what is sent is a reference", async () => {
  const claims = new Claims({ storage, path: "memory://recipes/inngest-events", threshold: 100_000 });
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    bodies.push(await text(request));
    response.setHeader("content-type", "application/json").end(JSON.stringify({ ids: ["1"], status: 200 }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const inngest = new Inngest({ id: "app", eventKey: "key", baseUrl, middleware: [claimsMiddleware(claims)] });
  const data = { text: "x".repeat(500_000) };
  await inngest.send([
    { name: "report", data },
    { name: "report", data: { text: "small" } },
  ]);
  server.close();
  expect(bodies.join().length).toBeLessThan(2000);
  const [large, small] = JSON.parse(bodies.find((body) => body.includes("report"))!);
  expect([await claims.resolve(large.data), small.data]).toEqual([data, { text: "small" }]);
});

test("AWS Lambda durable functions: checkpoints hold references", { timeout: 240_000 }, async () => {
  const folder = join(import.meta.dirname, "../node_modules/.stowage");
  await mkdir(folder, { recursive: true });
  const outfile = join(folder, "lambda-durable.mjs");
  const alias = { stowage: join(ROOT, "src/index.ts"), "stowage/claims": join(ROOT, "src/claims.ts") };
  const entryPoints = [join(import.meta.dirname, "lambda-durable.run.mjs")];
  const banner = { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' };
  const external = ["@aws/*", "@aws-sdk/*", "@azure/*", "@google-cloud/*", "google-auth-library", "yaml", "@smithy/*"];
  await build({
    bundle: true,
    platform: "node",
    target: "node22",
    format: "esm",
    logLevel: "silent",
    entryPoints,
    outfile,
    alias,
    banner,
    external,
  });
  const { stdout } = await promisify(execFile)(await nodeBinary(22), [outfile]);
  const { status, checkpoints, length, objects } = JSON.parse(stdout.trim().split("\n").at(-1)!);
  expect([status, length, objects]).toEqual(["SUCCEEDED", 400_001, 2]);
  expect(Math.max(...checkpoints)).toBeLessThan(1000);
  await rm(folder, { recursive: true, force: true });
});
