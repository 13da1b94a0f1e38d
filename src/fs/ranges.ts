/** Many ranges of one version in few requests. */

import { failure } from "../errors.js";
import { byteBudget } from "./budget.js";
import { abortable, collect } from "./bytes.js";
import type { Budget, ObjectDriver } from "./driver.js";
import { clamped, endingWith, type Opened, open, type Pinned, PinnedBody, type Wanted } from "./pinned.js";
import { Stop } from "./stop.js";

/** Bytes between two ranges up to which they are fetched in one request. */
const GAP = 2 ** 20;

/** Bytes that a request for several ranges has at most. A single range may be larger. */
const LARGEST = 16 * 2 ** 20;

/** Requests in flight. */
const PARALLEL = 10;

/** Half open; without `end` up to the end of the object. */
interface Stretch {
  start: number;
  end: number | undefined;
}
interface Group {
  start: number;
  end: number;
  /** Where in the list of the caller its ranges are. */
  members: number[];
}

/**
 * The bytes of each range, in the order of `ranges`, all of one version: ObjectChanged otherwise. Near and overlapping
 * ranges share a request. What lies past the end of the object is cut off; an empty range sends no request.
 */
export async function fetchRanges(
  driver: ObjectDriver,
  key: string,
  ranges: readonly Stretch[],
  options: Partial<Pick<Wanted, "ifMatch" | "version" | "signal">> & { budget: Budget },
): Promise<Uint8Array[]> {
  const { ifMatch, version, signal, budget } = options;
  const groups = grouped(ranges);
  const results: Uint8Array[] = ranges.map(() => new Uint8Array(0));
  const [first] = groups;
  if (!first) return results;
  const end = first.end === Number.POSITIVE_INFINITY ? undefined : first.end;
  const opened = await open(driver, key, { start: first.start, end, ifMatch, version, signal });
  if (groups.length > 1 && !opened.pinned.isCertain) {
    await opened.body.return();
    const why = "the server gives the object no ETag, so ranges that are far apart may be of different versions";
    throw failure("Unsupported", `${why}; read them one by one`);
  }
  await fetchGroups(opened, groups, budget, signal, (group, data) => {
    for (const index of group.members) results[index] = cut(group, data, ranges[index]!);
  });
  return results;
}

/** Ranges in as few groups as `GAP` and `LARGEST` allow, in the order of their first bytes. */
function grouped(ranges: readonly Stretch[]): Group[] {
  const sorted = ranges
    .map(({ start, end = Number.POSITIVE_INFINITY }, index) => ({ start, end, index }))
    .filter(({ start, end }) => start < end)
    .sort((a, b) => a.start - b.start || a.end - b.end);
  const groups: Group[] = [];
  for (const { start, end, index } of sorted) {
    const group = groups.at(-1);
    if (group && joins(group, start, end)) {
      group.end = Math.max(group.end, end);
      group.members.push(index);
    } else groups.push({ start, end, members: [index] });
  }
  return groups;
}

function joins(group: Group, start: number, end: number): boolean {
  return end <= group.end || (start - group.end <= GAP && end - group.start <= LARGEST);
}

type Take = (group: Group, data: Uint8Array) => void;

async function fetchGroups(
  { pinned, info, body }: Opened,
  [first, ...others]: readonly Group[],
  budget: Budget,
  signal: AbortSignal | undefined,
  take: Take,
): Promise<void> {
  const stop = new Stop(signal);
  const lanes = byteBudget(PARALLEL, Number.POSITIVE_INFINITY);
  const one = async (group: Group, read: (from: Pinned) => PinnedBody) => {
    try {
      const leave = await lanes.take(1, stop.signal);
      await fetchOne(group, read(endingWith(stop.signal, pinned)), budget, stop.signal, take).finally(leave);
    } catch (error) {
      stop.now(error);
    }
  };
  const tasks = [one(first!, () => body)];
  for (const group of others) {
    if (group.start >= info.size) break;
    tasks.push(one(group, (from) => new PinnedBody(from, group.start, clamped(group.end, info.size))));
  }
  await Promise.all(tasks);
  stop.free();
  stop.signal.throwIfAborted();
}

async function fetchOne(
  group: Group,
  body: PinnedBody,
  budget: Budget,
  signal: AbortSignal,
  take: Take,
): Promise<void> {
  const size = body.left;
  const release = await held(budget.take(size, signal), body);
  try {
    take(group, await collect(abortable(body, signal), { size }));
  } finally {
    release();
  }
}

/** `grant`, or its failure after the line that waited for it has been let go. */
async function held(grant: Promise<() => void>, body: PinnedBody): Promise<() => void> {
  try {
    return await grant;
  } catch (error) {
    await body.return();
    throw error;
  }
}

/** A range of its own memory, unless it is all that was fetched. */
function cut(group: Group, data: Uint8Array, { start, end }: Stretch): Uint8Array {
  if (group.members.length === 1) return data;
  const to = end === undefined ? undefined : end - group.start;
  return Uint8Array.from(data.subarray(start - group.start, to));
}
