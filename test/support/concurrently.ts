/** Does `work` for every item, `count` of them at a time. */
export async function concurrently<T>(count: number, items: Iterable<T>, work: (item: T) => Promise<unknown>) {
  const rest = items[Symbol.iterator]();
  const next = async () => {
    for (let one = rest.next(); !one.done; one = rest.next()) await work(one.value);
  };
  await Promise.all(Array.from({ length: count }, next));
}
