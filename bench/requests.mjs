/** How many requests one operation costs each subject on S3, counted on the way between it and the server. */

import { existsSync } from "node:fs";
import { createServer, request } from "node:http";
import { measure } from "./measure.mjs";
import { openPlace, subjectsOf } from "./places.mjs";
import { open as openStowage } from "./subjects/stowage.mjs";
import { seed } from "./work.mjs";

const MIB = 2 ** 20;
const asked = [
  { step: "put", size: 1024 },
  { step: "get", size: 1024 },
  { step: "stat", size: 1024 },
  { step: "delete", size: 1024, own: 1 },
  { step: "write", size: 20 * MIB },
  { step: "read", size: 20 * MIB },
  { step: "xcom", size: 1024 },
].map((one) => ({
  name: `requests-${one.step}`,
  seeds: `requests-${one.step}`,
  store: "minio",
  count: 1,
  at: 1,
  ...one,
}));

/** `{ subject: { step: requests } }` */
export async function countRequests() {
  const place = await openPlace("minio");
  const counter = await countingProxy(place.target.s3.endpoint);
  const counts = {};
  try {
    for (const scenario of asked) await each(scenario, place.target, counter, counts);
  } finally {
    counter.close();
    await place.close();
  }
  console.log("\nrequests of one operation");
  console.table(counts);
  return counts;
}

async function each(scenario, target, counter, counts) {
  const stowage = await openStowage(target);
  await seed(stowage, scenario);
  await stowage.close();
  const through = redirected(target, counter.endpoint);
  for (const subject of subjectsOf.minio) {
    if (!existsSync(new URL(`subjects/${subject}.mjs`, import.meta.url))) continue;
    const before = counter.count();
    const command = [process.execPath, "worker.mjs", subject];
    const { cannot } = (await measure(scenario, through, [[subject, command]], 1))[subject];
    counts[subject] ??= {};
    counts[subject][scenario.step] = cannot ? "-" : counter.count() - before - (scenario.own ?? 0);
  }
}

function redirected(target, endpoint) {
  const { connection, s3 } = target;
  const extra = { ...connection.extra, endpoint_url: endpoint };
  return { ...target, connection: { ...connection, extra }, s3: { ...s3, endpoint } };
}

/** Hands on everything as it is, the Host header too, which is signed; counts requests. */
export async function countingProxy(endpoint) {
  const { hostname, port } = new URL(endpoint);
  let requests = 0;
  const server = createServer((asked, answer) => {
    requests++;
    const { method, url: path, rawHeaders: headers } = asked;
    const onward = request({ hostname, port, method, path, headers }, (from) => {
      answer.writeHead(from.statusCode, from.rawHeaders);
      from.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    asked.pipe(onward);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    endpoint: `http://127.0.0.1:${server.address().port}`,
    count: () => requests,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
