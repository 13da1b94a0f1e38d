/** A Table of the package apache-arrow by its shape, so that its types are not needed where it is not installed. */
export interface ArrowTable {
  readonly schema: { readonly fields: readonly { readonly name: string }[] };
  readonly batches: readonly object[];
  readonly numRows: number;
  getChild(name: never): unknown;
}

/** Whether it is a Table, of any copy of that package. */
export function isArrowTable(value: unknown): value is ArrowTable {
  if (typeof value !== "object" || value === null) return false;
  const { schema, batches, getChild } = value as Partial<ArrowTable>;
  return Array.isArray(batches) && typeof getChild === "function" && Array.isArray(schema?.fields);
}
