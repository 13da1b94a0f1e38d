/** The same content for all subjects: JSON lines that compress about as well as a table's rows do. */
const MIB = 2 ** 20;

/** `size` bytes, the same on every run. */
export function text(size) {
  const into = Buffer.allocUnsafeSlow(size);
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  for (let at = 0, id = 0; at < size; id++) {
    const row = {
      id,
      user: random().toString(36),
      amount: (random() % 1e6) / 100,
      paid: random() % 2 === 0,
      note: "ok",
    };
    at += into.write(`${JSON.stringify(row)}\n`, at, "latin1");
  }
  return into;
}

/** What all streams repeat, made once so that no round pays for it. */
const block = text(MIB);

/** A stream of `size` bytes in chunks of 64 KiB, which costs nothing to make. */
export async function* stream(size) {
  const step = 64 * 1024;
  for (let at = 0; at < size; at += step) {
    const from = at % MIB;
    yield block.subarray(from, from + Math.min(step, size - at));
  }
}

/** A JSON value whose text has about `size` bytes. */
export function value(size) {
  const row = (i) => ({
    id: i,
    name: `name-${i % 977}`,
    amount: (i * 7919) % 100_000,
    tags: ["a", "b"],
    paid: i % 2 === 0,
  });
  const each = JSON.stringify(row(100_000)).length + 1;
  return { rows: Array.from({ length: Math.max(1, Math.round(size / each)) }, (_, i) => row(i)) };
}
