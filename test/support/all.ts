/** Everything that an iterable yields: `Array.fromAsync`, which Node has from 22 on. */
export async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of source) found.push(one);
  return found;
}
