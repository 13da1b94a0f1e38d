/** Many ranges of one version in few requests. */
import { forEachConcurrent, type MemoryLimiter } from "../concurrency.js";
import { failure } from "../errors.js";
import { abortable, collect } from "../streams.js";
import type { ObjectDriver } from "./driver/driver.js";
import { clampEnd, type OpenedRead, openRead, type ReadRequest, ResumableBody, withSignal } from "./resumable-read.js";

/** The maximum gap in bytes between two ranges fetched in one request. */
const GAP = 2 ** 20;

/** The maximum size in bytes of a request for several ranges. A single range may be larger. */
const LARGEST = 16 * 2 ** 20;

/** Requests in flight. */
const PARALLEL_WHOLE = 10;

/** Half open; without `end` up to the end of the object. */
interface ByteRange {
  start: number;
  end: number | undefined;
}
interface Group {
  start: number;
  end: number;
  /** The indices of its ranges in the caller's list. */
  members: number[];
}

/**
 * Returns the bytes of each range, in the order of `ranges`. Throws `ObjectChanged` unless all are of one version. Near
 * and overlapping ranges share a request. Ranges are clamped to the object; an empty range sends no request.
 */
export async function fetchRanges(
  driver: ObjectDriver,
  key: string,
  ranges: readonly ByteRange[],
  options: Partial<Pick<ReadRequest, "ifMatch" | "version" | "signal">> & { limiter: MemoryLimiter },
): Promise<Uint8Array[]> {
  const { ifMatch, version, signal, limiter } = options;
  const groups = groupRanges(ranges);
  const results: Uint8Array[] = ranges.map(() => new Uint8Array(0));
  const [first] = groups;
  if (!first) return results;
  const end = first.end === Number.POSITIVE_INFINITY ? undefined : first.end;
  const opened = await openRead(driver, key, { start: first.start, end, ifMatch, version, signal });
  if (groups.length > 1 && !opened.pinned.isCertain) {
    await opened.body.return();
    const why = "the server gives the object no ETag, so ranges that are far apart may be of different versions";
    throw failure("Unsupported", `${why}; read them one by one`);
  }
  await fetchGroups(opened, groups, limiter, signal, (group, data) => {
    for (const index of group.members) results[index] = sliceOf(group, data, ranges[index]!);
  });
  return results;
}

/** Groups ranges into as few requests as `GAP` and `LARGEST` allow, in the order of their first bytes. */
function groupRanges(ranges: readonly ByteRange[]): Group[] {
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
  { pinned, info, body }: OpenedRead,
  groups: readonly Group[],
  limiter: MemoryLimiter,
  signal: AbortSignal | undefined,
  take: Take,
): Promise<void> {
  const within = groups.filter(({ start }, index) => index === 0 || start < info.size);
  await forEachConcurrent(within, { concurrency: PARALLEL_WHOLE, signal }, async (group, signal) => {
    const { start, end } = group;
    const rest = () => new ResumableBody(withSignal(signal, pinned), start, clampEnd(end, info.size));
    await fetchOne(group, group === groups[0] ? body : rest(), limiter, signal, take);
  });
}

async function fetchOne(
  group: Group,
  body: ResumableBody,
  limiter: MemoryLimiter,
  signal: AbortSignal,
  take: Take,
): Promise<void> {
  const size = body.left;
  const release = await held(limiter.acquire(size, signal), body);
  try {
    take(group, await collect(abortable(body, signal), { size }));
  } finally {
    release();
  }
}

/** Returns `grant`; if it fails, closes the connection that waited for it and rethrows. */
async function held(grant: Promise<() => void>, body: ResumableBody): Promise<() => void> {
  try {
    return await grant;
  } catch (error) {
    await body.return();
    throw error;
  }
}

/** Copies a range into its own memory, unless it is everything that was fetched. */
function sliceOf(group: Group, data: Uint8Array, { start, end }: ByteRange): Uint8Array {
  if (group.members.length === 1) return data;
  const to = end === undefined ? undefined : end - group.start;
  return Uint8Array.from(data.subarray(start - group.start, to));
}
