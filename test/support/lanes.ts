/** Does `work` for every item, `count` of them at a time. */
export async function inLanes<T>(count: number, items: Iterable<T>, work: (item: T) => Promise<unknown>) {
  const rest = items[Symbol.iterator]();
  const lane = async () => {
    for (let next = rest.next(); !next.done; next = rest.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: count }, lane));
}
