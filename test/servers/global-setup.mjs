/**
 * Lends servers to the test files of one run: each is started when a test first asks for it and stopped at the end.
 * Test files are separate processes, so they ask over loopback HTTP; `use.ts` is the asking side.
 */
import { createServer } from "node:http";
import { starters } from "./index.mjs";

/** @param {import("vitest/node").TestProject} project */
export default async function setup(project) {
  /** @type {Map<string, Promise<{ stop: () => Promise<void> }>>} */
  const started = new Map();
  const broker = createServer((request, response) => {
    const name = (request.url ?? "").slice(1);
    void lend(name, started).then(({ status, body }) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
  });
  await new Promise((resolve) => broker.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = broker.address();
  project.provide("servers", `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}/`);
  return async () => {
    broker.close();
    const outcomes = await Promise.allSettled(started.values());
    await Promise.all(outcomes.map((outcome) => (outcome.status === "fulfilled" ? outcome.value.stop() : undefined)));
  };
}

/** @param {string} name @param {Map<string, Promise<{ stop: () => Promise<void> }>>} started */
async function lend(name, started) {
  if (!(name in starters)) return { status: 404, body: { reason: `no server is called ${name}` } };
  const key = /** @type {keyof typeof starters} */ (name);
  if (!started.has(key)) started.set(key, starters[key]());
  try {
    return { status: 200, body: await started.get(key) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { status: 503, body: { reason } };
  }
}
