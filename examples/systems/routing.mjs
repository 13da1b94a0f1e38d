// Sends each value to the store and codec that suit it; every reader finds it in any of the stores.
import assert from "node:assert/strict";
import { openStorage, XComObjectStorageBackend } from "stowage";
import { defineSerializer, routeXComs } from "stowage/xcom";
import { base, otherBase } from "./lib/place.mjs";

const images = defineSerializer({
  name: "example.png@1",
  suffix: ".png",
  test: (value) => Buffer.isBuffer(value) && value.subarray(1, 4).equals(Buffer.from("PNG")),
  async *encode(value) {
    yield value;
  },
  async decode(body) {
    const chunks = [];
    for await (const chunk of body) chunks.push(chunk);
    return Buffer.concat(chunks);
  },
});

const storage = openStorage();
const at = (path, options) => new XComObjectStorageBackend({ storage, path, threshold: 1000, ...options });
const backends = {
  warm: at(base, { compression: "lz4" }),
  cold: at(otherBase, { compression: "gzip", digest: true, layout: "uuid" }),
  files: at(`${otherBase}-files`, { serializers: [images] }),
};
const xcom = routeXComs({
  backends,
  async route(value, { owner, key, size }) {
    if (Buffer.isBuffer(value)) return "files";
    if (owner.dagId.startsWith("archive_") || key === "report") return "cold";
    return ((await size()) ?? 0) > 100_000 ? "cold" : "warm";
  },
});

const png = Buffer.concat([Buffer.from([0x89]), Buffer.from("PNG and so on")]);
const big = Array.from({ length: 20_000 }, (_, id) => ({ id }));
const cases = [
  ["sales", "k", { small: true }, undefined],
  ["sales", "k", big.slice(0, 500), base],
  ["sales", "k", big, otherBase],
  ["archive_sales", "k", "x".repeat(1000), otherBase],
  ["sales", "report", "x".repeat(1000), otherBase],
  ["sales", "k", png, `${otherBase}-files`],
];
// A reader needs the same backends, but not the same route.
const reader = routeXComs({ backends, route: () => "warm" });
for (const [dagId, key, value, place] of cases) {
  const owner = { dagId, runId: "manual__2026-11-21T00:00:00+00:00", taskId: "load" };
  const row = await xcom.storeValue(owner, key, value);
  console.log(typeof row === "string" ? row : JSON.stringify(row));
  assert.equal(place === undefined ? typeof row : row.startsWith(`${place}/`), place === undefined ? "object" : true);
  assert.deepEqual(await reader.loadValue(row, { owner }), value);
  assert.equal(await reader.purge(row, { owner }), place !== undefined);
}
await storage.close();
