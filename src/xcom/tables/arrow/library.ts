/** The optional package for Arrow. */
import type { RecordBatch, Table } from "apache-arrow";
import { failure } from "../../../errors.js";

export type Arrow = Awaited<ReturnType<typeof loadArrow>>;

export async function loadArrow() {
  try {
    return await import("apache-arrow");
  } catch (cause) {
    throw failure("Unsupported", "Arrow needs the package apache-arrow: npm install apache-arrow", { cause });
  }
}

/** Whether it is a Table of apache-arrow, of any copy of that package. */
export function isArrowTable(value: unknown): value is Table {
  if (typeof value !== "object" || value === null) return false;
  const { schema, batches, getChild } = value as Partial<Table>;
  return Array.isArray(batches) && typeof getChild === "function" && Array.isArray(schema?.fields);
}

export type { RecordBatch, Table };
