/**
 * What sockets of our own save: stowage on them and on Node's client, beside peers, on MinIO and on MinIO with TLS, per
 * second of processor time; rounds take turns. `node bench/net.mjs [rounds] [words]`, after npm run build; with words
 * only scenarios whose name has one of them, as in `minio-get,minio-put`.
 */
import { loadavg } from "node:os";
import { measure } from "./measure.mjs";
import { installPeers } from "./peers.mjs";
import { openPlace } from "./places.mjs";
import { open as openStowage } from "./subjects/stowage.mjs";
import { seed } from "./work.mjs";

const LARGE = { size: 256 * 2 ** 20, count: 1, at: 1 };
const SMALL = { size: 1024, count: 2000, at: 64, warmUp: 4 };
const OURS = ["stowage", "stowage-node-http"];
const scenarios = [
  { store: "minio", step: "read", ...LARGE, subjects: [...OURS, "stowage-bare", "opendal-reader", "opendal"] },
  { store: "minio", step: "write", ...LARGE, subjects: [...OURS, "opendal"] },
  { store: "minio", step: "get", ...SMALL, subjects: [...OURS, "opendal", "aws-sdk", "probe"] },
  { store: "minio", step: "put", ...SMALL, subjects: [...OURS, "opendal", "aws-sdk", "probe"] },
  { store: "minio-tls", step: "read", ...LARGE, subjects: [...OURS, "stowage-bare", "probe"] },
  { store: "minio-tls", step: "get", ...SMALL, subjects: [...OURS, "aws-sdk", "probe"] },
].map((one) => ({ ...one, name: `net-${one.store}-${one.step}`, seeds: `seed-${one.size}` }));

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
installPeers();
const [rounds = "5", words = ""] = process.argv.slice(2);
for (const scenario of scenarios.filter(({ name }) => words.split(",").some((word) => name.includes(word)))) {
  const place = await openPlace(scenario.store);
  const subject = await openStowage(place.target);
  await seed(subject, scenario);
  await subject.close();
  const commands = scenario.subjects.map((name) => [name, [process.execPath, "--expose-gc", "worker.mjs", name]]);
  const found = await measure(scenario, place.target, commands, Number(rounds));
  await place.close();
  const ours = found.stowage.cpu?.median;
  console.log(`\n${scenario.name}, per second of processor time, load ${loadavg()[0].toFixed(1)}`);
  for (const [name, { cannot, cpu, wall, unit }] of Object.entries(found)) {
    const rates = cpu && `${rounded(cpu.median)} (${rounded(cpu.min)} to ${rounded(cpu.max)}) ${unit.split("/")[0]}`;
    console.log(
      `  ${name}: ${cannot ?? `${rates}, wall ${rounded(wall.median)}, stowage ${(ours / cpu.median).toFixed(2)} x`}`,
    );
  }
}

function rounded(value) {
  return value.toFixed(0);
}
