/**
 * The steps: what one round of a scenario does with a subject. `seed` makes what must be there before the clock starts;
 * `before` does so ahead of each round.
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

/** Why the subject cannot do the scenario, or undefined. */
export function obstacle(subject, { step, codec }) {
  const method = methods[step];
  if (!subject[method]) return subject.cannot?.[method] ?? `has no ${method}`;
  if (codec && !subject.codecs?.includes(codec)) return `has no ${codec}`;
  return undefined;
}

/** Objects that the scenario reads, written once for all subjects by the subject that is given. */
export async function seed(subject, scenario) {
  const { step, size, count, codec, name } = scenario;
  if (step === "get" || step === "stat") {
    const data = text(size);
    await pooled(count, 64, (i) => subject.put(`${name}/${i}`, data));
  }
  if (step === "list") await pooled(count, 64, (i) => subject.put(`${name}/${i}`, text(1)));
  if (step === "bytes") await subject.write(`${name}/0`, stream(size));
  if (step === "read") await pooled(count, 8, (i) => subject.write(`${name}/${i}`, stream(size), codec));
}

/** A round of `scenario`; `own` is a prefix that nobody else writes to. */
export function rounds(subject, scenario, own) {
  const { step, size, count, at, codec, name } = scenario;
  const each = (work) => pooled(count, at, work);
  const fill = () => pooled(count, 64, (i) => subject.put(`${own}/${i}`, text(size)));
  const data = step === "put" ? text(size) : undefined;
  const json = step === "xcom" ? value(size) : undefined;
  const works = {
    put: () => each((i) => subject.put(`${own}/${i}`, data)),
    get: () => each(async (i) => expectSize(await subject.get(`${name}/${i}`), size)),
    stat: () => each((i) => subject.stat(`${name}/${i}`)),
    delete: () => each((i) => subject.remove(`${own}/${i}`)),
    write: () => each((i) => subject.write(`${own}/${i}`, stream(size), codec)),
    read: () => each(async (i) => drained(await subject.read(`${name}/${i}`, codec), size)),
    bytes: async () => expectSize(await subject.get(`${name}/0`), size),
    list: async () => expectSize({ byteLength: await subject.list(`${name}/`) }, count),
    deleteTree: () => subject.removeTree(`${own}/`),
    xcom: () => each((i) => subject.xcom(`${own}/${i}`, json, codec)),
  };
  const before = step === "delete" || step === "deleteTree" ? fill : undefined;
  return { before, work: works[step] };
}

async function drained(chunks, size) {
  let seen = 0;
  for await (const chunk of chunks) seen += chunk.byteLength;
  if (seen !== size) throw new Error(`${seen} bytes came instead of ${size}`);
}

function expectSize({ byteLength }, size) {
  if (byteLength !== size) throw new Error(`${byteLength} came instead of ${size}`);
}

/** Calls `work` with 0 to `count` - 1, `at` calls at once. */
async function pooled(count, at, work) {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(at, count) }, lane));
}
