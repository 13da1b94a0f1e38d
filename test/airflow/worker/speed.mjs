/** How fast values go through the adapter, and through the SDK alone. */
import { openStorage, XComObjectStorageBackend } from "stowage";
import { wrapTaskClient } from "stowage/airflow";

const MIB = 1024 * 1024;
/** Text that does not shrink much; the same in every run. */
function text(length) {
  let seed = 7;
  const words = Uint32Array.from({ length: length / 8 }, () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed;
  });
  return Buffer.from(words.buffer).toString("hex");
}

async function timed(work) {
  const begun = performance.now();
  const result = await work();
  return { ms: Math.round((performance.now() - begun) * 100) / 100, result };
}

async function large(client, value) {
  const set = await timed(() => client.setXCom({ key: "large", value }));
  const get = await timed(() => client.getXCom({ key: "large" }));
  if (get.result !== value) throw new Error("the value has changed");
  return { set: set.ms, get: get.ms };
}

/** Medians of 100 small values, the SDK's client and the wrapped one by turns. */
async function small(client, wrapped) {
  const found = { bare: [], wrapped: [] };
  for (let i = 0; i < 100; i++) {
    for (const [name, by] of Object.entries({ bare: client, wrapped })) {
      const { ms } = await timed(async () => {
        await by.setXCom({ key: `small_${name}`, value: { n: i } });
        await by.getXCom({ key: `small_${name}` });
      });
      found[name].push(ms);
    }
  }
  const median = (list) => list.sort((a, b) => a - b)[list.length / 2];
  return { bare: median(found.bare), wrapped: median(found.wrapped) };
}

export async function throughAdapter({ ctx, client }) {
  const storage = openStorage();
  const path = process.env.AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH;
  const wrapped = wrapTaskClient(client, ctx, new XComObjectStorageBackend({ storage, path, threshold: 1000 }));
  const value = text(64 * MIB);
  console.log(`SPEED ${JSON.stringify({ small: await small(client, wrapped), large: await large(wrapped, value) })}`);
  await storage.close();
}

/** The SDK gives up on a call after 30 s. */
export async function inline({ client }) {
  const begun = performance.now();
  const found = await large(client, text(64 * MIB)).catch((error) => ({ error: error.message }));
  console.log(`SPEED ${JSON.stringify({ inline: { ...found, total: performance.now() - begun } })}`);
}
