import type { RowFilter, RowKey, XComRow, XComRows } from "./rows.js";

/** Rows in memory, gone with the process. */
export function memoryRows(): XComRows {
  const rows = new Map<string, XComRow>();
  return {
    get: async (at) => rows.get(idOf(at)),
    set: async (at, value) => {
      rows.set(idOf(at), { ...at, mapIndex: at.mapIndex ?? -1, value });
    },
    delete: async (at) => rows.delete(idOf(at)),
    async *list(filter = {}, { signal } = {}) {
      for (const row of rows.values()) {
        signal?.throwIfAborted();
        if (agrees(row, filter)) yield row;
      }
    },
  };
}

function idOf({ dagId, runId, taskId, mapIndex = -1, key }: RowKey): string {
  return JSON.stringify([dagId, runId, taskId, mapIndex, key]);
}

function agrees(row: XComRow, filter: RowFilter): boolean {
  return Object.entries(filter).every(([name, value]) => value === undefined || row[name as keyof RowKey] === value);
}
