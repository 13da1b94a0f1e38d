/**
 * The steps: what one round of a scenario does with a subject, which returns how many objects it has done. `seed` makes
 * what must be there before the clock starts; `before` does so ahead of each round.
 */
import { stream, text, value } from "./data.mjs";

/** Which method of a subject a step needs. */
const methods = {
  put: "put",
  get: "get",
  stat: "stat",
  delete: "remove",
  write: "write",
  read: "read",
  bytes: "get",
  list: "list",
  deleteTree: "removeTree",
  xcom: "xcom",
};
const SEEDED = ["get", "stat", "read", "bytes", "list"];

/** Why the subject cannot do the scenario, or undefined. */
export function obstacle(subject, { step, codec }) {
  const method = methods[step];
  if (!subject[method]) return subject.cannot?.[method] ?? `has no ${method}`;
  if (codec && !subject.codecs?.includes(codec)) return `has no ${codec}`;
  return undefined;
}

/**
 * Writes the objects that the scenario reads, which all subjects and all scenarios of that size and codec share.
 * `made` knows how many there are of each already.
 */
export async function seed(subject, scenario, made = new Map()) {
  const { step, size, count, codec, seeds } = scenario;
  if (!SEEDED.includes(step)) return;
  const there = made.get(seeds) ?? 0;
  const concurrency = size < 2 ** 20 ? 64 : 2;
  await pooled({ count: count - there, at: concurrency }, (i) =>
    subject.write(`${seeds}/${there + i}`, stream(size), codec ?? null),
  );
  made.set(seeds, Math.max(there, count));
}

/** A round of `scenario`; `own` is a prefix that nobody else writes to. */
export function rounds(subject, scenario, own) {
  const { step, size, count, codec, seeds } = scenario;
  const each = (work) => () => pooled(scenario, work);
  const data = step === "put" ? text(size) : undefined;
  const json = step === "xcom" ? value(size) : undefined;
  const spare = stock(subject, scenario, own);
  const works = {
    put: each((i) => subject.put(`${own}/${i}`, data)),
    get: each(async (i) => expectSize(await subject.get(`${seeds}/${i}`), size)),
    stat: each((i) => subject.stat(`${seeds}/${i}`)),
    delete: spare.use,
    write: each((i) => subject.write(`${own}/${i}`, stream(size), codec)),
    read: each(async (i) => drained(await subject.read(`${seeds}/${i}`, codec), size)),
    bytes: each(async (i) => expectSize(await subject.get(`${seeds}/${i}`), size)),
    list: async () => {
      expectSize({ byteLength: await subject.list(`${seeds}/`) }, count);
      return count;
    },
    deleteTree: () => spare.useAll(() => subject.removeTree(`${own}/`)),
    xcom: each((i) => subject.xcom(`${own}/${i}`, json, codec)),
  };
  const before = step === "delete" || step === "deleteTree" ? spare.fill : undefined;
  return { before, work: works[step] };
}

/** Objects that are there to be deleted: at most twice those that a round has used up. */
function stock(subject, { size, count, at, seconds, fillSeconds }, own) {
  let present = 0;
  let wanted = count;
  return {
    async fill() {
      const data = text(size);
      const first = present;
      const missing = { count: wanted - first, at: 64, seconds: fillSeconds };
      present += await pooled(missing, (i) => subject.put(`${own}/${first + i}`, data));
    },
    async use() {
      const used = await pooled({ count: present, at, seconds }, () => subject.remove(`${own}/${--present}`));
      if (present > 0) wanted = Math.min(count, 2 * used);
      return used;
    },
    async useAll(remove) {
      const all = present;
      await remove();
      present = 0;
      return all;
    },
  };
}

async function drained(chunks, size) {
  let seen = 0;
  for await (const chunk of chunks) seen += chunk.byteLength;
  if (seen !== size) throw new Error(`${seen} bytes came instead of ${size}`);
}

function expectSize({ byteLength }, size) {
  if (byteLength !== size) throw new Error(`${byteLength} came instead of ${size}`);
}

/**
 * Calls `work` with 0 to `count` - 1, `at` calls at once, and begins none after `seconds`. Returns how many it made, all
 * of which have ended.
 */
async function pooled({ count, at, seconds = Number.POSITIVE_INFINITY }, work) {
  const end = performance.now() + seconds * 1000;
  let next = 0;
  const worker = async () => {
    while (next < count && performance.now() < end) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.max(0, Math.min(at, count)) }, worker));
  return next;
}
