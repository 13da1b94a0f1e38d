import type { XComBackend } from "../objectstore-backend.js";

/**
 * The arguments that an SDK has bound by name, with the values of rows in place of the rows. Names are still looked up
 * by the SDK's own object, which knows more spellings of a name than it lists.
 */
export async function bindObjects(bound: object, backend: XComBackend, signal: AbortSignal): Promise<object> {
  const rows = new Set(Object.keys(bound).map((name) => Reflect.get(bound, name)));
  const values = new Map<unknown, unknown>();
  await Promise.all([...rows].map(async (row) => values.set(row, await backend.loadValue(row, { signal }))));
  return new Proxy(bound, {
    get(target, name) {
      const row: unknown = Reflect.get(target, name);
      return values.has(row) ? values.get(row) : row;
    },
  });
}
