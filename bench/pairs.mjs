/**
 * Compares the processor time of two ways to do the same, so that what else the machine does cancels out: short blocks
 * of each take turns in one process, in the order ABBA, and each such pair gives one ratio.
 */

/** @typedef {{ median: number, low: number, high: number, quartiles: [number, number] }} Ratio */

/**
 * Runs `calls` calls, `atOnce` at a time, and returns their processor time in microseconds, of all threads.
 * @param {(i: number) => Promise<unknown>} call @param {number} calls @param {number} atOnce
 */
export async function processorMicros(call, calls, atOnce) {
  let next = 0;
  const worker = async () => {
    while (next < calls) await call(next++);
  };
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: atOnce }, worker));
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/**
 * Returns the processor time of `a` as a ratio to that of `b`: the median of all pairs, the interval that has the true
 * median with a probability of 95 % (by ranks, whatever the distribution), and the quartiles.
 * @param {(i: number) => Promise<unknown>} a @param {(i: number) => Promise<unknown>} b
 * @param {{ pairs: number, calls: number, atOnce: number }} options
 * @returns {Promise<Ratio>}
 */
export async function pairedRatio(a, b, { pairs, calls, atOnce }) {
  const ratios = [];
  const warmUp = Math.ceil(pairs / 10);
  for (let pair = -warmUp; pair < pairs; pair++) {
    // Who comes first also changes from pair to pair.
    const [one, two] = pair % 2 === 0 ? [a, b] : [b, a];
    const times = [];
    for (const call of [one, two, two, one]) times.push(await processorMicros(call, calls, atOnce));
    const [first, second] = [times[0] + times[3], times[1] + times[2]];
    if (pair >= 0) ratios.push(pair % 2 === 0 ? first / second : second / first);
  }
  ratios.sort((x, y) => x - y);
  const at = (rank) => ratios[Math.min(pairs - 1, Math.max(0, Math.round(rank)))];
  const half = (1.96 * Math.sqrt(pairs)) / 2;
  const middle = (pairs - 1) / 2;
  return {
    median: at(middle),
    low: at(middle - half),
    high: at(middle + half),
    quartiles: [at((pairs - 1) / 4), at((3 * (pairs - 1)) / 4)],
  };
}

/** @param {Ratio} ratio */
export function shown({ median, low, high, quartiles: [from, to] }) {
  const text = (value) => value.toFixed(3);
  return `${text(median)}, 95 % interval ${text(low)} to ${text(high)}, quartiles ${text(from)} to ${text(to)}`;
}
