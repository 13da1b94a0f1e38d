/** The counter of the docs: 32 processes, answers that are lost, and no lost update. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openStorage } from "../../src/index.js";
import { describeOn, useBucket } from "../servers/use.js";
import { answer, faultProxy, loseAnswer } from "../support/faults.js";
import { through } from "../support/proxy.js";

const PROCESSES = 32;
const TIMES = 3;
const DIST = fileURLToPath(new URL("../../dist/index.js", import.meta.url));

/** Counts, and prints how many of its updates were stored for certain, and of how many nobody knows. */
const PROGRAM = `
import { isStorageError, openStorage } from ${JSON.stringify(DIST)};
const [, path, connection] = process.argv;
const storage = openStorage({ connections: { it: JSON.parse(connection) }, env: {} });
const counted = { done: 0, unknown: 0 };
for (let time = 0; time < ${TIMES}; time++) {
  try {
    await storage.update(path, async (now) => String(Number((await now?.text()) ?? 0) + 1), { attempts: 200 });
    counted.done += 1;
  } catch (error) {
    if (!isStorageError(error) || error.code !== "CommitUnknown") throw error;
    counted.unknown += 1;
  }
}
console.log(JSON.stringify(counted));
await storage.close();
`;

async function count(path: string, connection: unknown): Promise<{ done: number; unknown: number }> {
  const args = ["--input-type=module", "-e", PROGRAM, path, JSON.stringify(connection)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  if (child.exitCode !== 0) throw new Error(errors);
  return JSON.parse(out) as { done: number; unknown: number };
}

const SCHEMES = { minio: "s3", "fake-gcs": "gs", azurite: "abfs" } as const;

for (const name of ["minio", "fake-gcs", "azurite"] as const) {
  await describeOn(name, `update by ${PROCESSES} processes on ${name}`, (server) => {
    const bucket = useBucket(server);
    test("every counted update is in the object, whatever happens to the answers", { timeout: 240_000 }, async () => {
      const proxy = await faultProxy(server.endpoint);
      let writes = 0;
      const every = (nth: number) => ({
        on: ({ operation }: { operation: string }) => operation === "write" && writes++ % 41 === nth,
        times: Number.POSITIVE_INFINITY,
      });
      proxy.plant({ ...every(3), fault: loseAnswer() });
      proxy.plant({ ...every(23), fault: answer(503) });
      const path = `${SCHEMES[name]}://it@${bucket().name}/count`;
      const { connection } = through(server, proxy);
      const counts = await Promise.all(Array.from({ length: PROCESSES }, () => count(path, connection)));
      const faults = proxy.requests.filter(({ fault }) => fault !== undefined).length;
      await proxy.close();
      const sum = (of: "done" | "unknown") => counts.reduce((total, one) => total + one[of], 0);
      await using storage = openStorage({ connections: { it: server.connection }, env: {} });
      const stored = Number(await storage.text(path));
      expect(sum("done") + sum("unknown")).toBe(PROCESSES * TIMES);
      expect(stored).toBeGreaterThanOrEqual(sum("done"));
      expect(stored).toBeLessThanOrEqual(PROCESSES * TIMES);
      expect(faults).toBeGreaterThan(0);
      console.log(
        `${name}: ${sum("done")} counted, ${sum("unknown")} unknown, ${faults} faults, the object has ${stored}`,
      );
    });
  });
}
