import { agreesWith, checkFilter, type RowKey, type XComRow, type XComRows } from "./rows.js";

/** Creates rows in memory, lost with the process. Writes and reads copy the values. */
export function memoryRows(): XComRows {
  const rows = new Map<string, XComRow>();
  let writes = 0;
  return {
    get: async (at) => structuredClone(rows.get(idOf(at))),
    async set(at, value, { ifVersion, ifAbsent = false } = {}) {
      const id = idOf(at);
      const there = rows.get(id);
      if ((ifAbsent && there) || (ifVersion !== undefined && there?.version !== ifVersion)) return false;
      const { dagId, runId, taskId, mapIndex = -1, key } = at;
      writes += 1;
      rows.set(id, { dagId, runId, taskId, mapIndex, key, value: structuredClone(value), version: String(writes) });
      return true;
    },
    async delete(at, { ifVersion } = {}) {
      const id = idOf(at);
      return (ifVersion === undefined || rows.get(id)?.version === ifVersion) && rows.delete(id);
    },
    async *list(filter = {}, { signal } = {}) {
      checkFilter(filter);
      for (const row of rows.values()) {
        signal?.throwIfAborted();
        if (agreesWith(row, filter)) yield structuredClone(row);
      }
    },
  };
}

function idOf({ dagId, runId, taskId, mapIndex = -1, key }: RowKey): string {
  return JSON.stringify([dagId, runId, taskId, mapIndex, key]);
}
