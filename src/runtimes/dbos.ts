/**
 * Large inputs, outputs, messages and events of DBOS workflows as objects.
 *
 * @packageDocumentation
 */
import { Claims, type ClaimsOptions } from "../claims/index.js";
import { failure, invalid } from "../errors.js";
import type { ReferenceSource } from "../references.js";
import type { Query } from "../sql.js";
import { type TableReferencesOptions, tableReferences } from "./table-references.js";

export type { FoundReference, ReferenceSource } from "../references.js";
export type { Query } from "../sql.js";
export type { TableReferencesOptions } from "./table-references.js";

/** The serializer of `@dbos-inc/dbos-sdk`, 4.18.10 or later: earlier ones cannot wait for an object. */
export interface DBOSSerializer {
  name(): string;
  stringify(value: unknown): string | Promise<string>;
  parse(text: string | null | undefined): unknown;
}

export interface OffloadSerializerOptions extends Omit<ClaimsOptions, "threshold"> {
  /** Bytes of a serialized value from which on it becomes an object. @default 65536 */
  threshold?: number | undefined;
  /** How values become text. @default the package `superjson`, as DBOS does by itself */
  inner?: DBOSSerializer | undefined;
}

const THRESHOLD = 64 * 1024;

/**
 * Returns a serializer that stores large values as objects. DBOS writes its name, `stowage+` and the inner one's, into
 * every row, and reads older rows with the serializer that wrote them. `DBOSClient` needs the same serializer.
 *
 * Reading throws the StorageError of a value that is gone or damaged.
 *
 * @example DBOS.setConfig({ name: "app", systemDatabaseUrl, serializer: offloadSerializer({ storage, path }) });
 */
export function offloadSerializer(options: OffloadSerializerOptions) {
  const { inner = SUPERJSON, threshold = THRESHOLD, ...rest } = options;
  if (typeof inner?.stringify !== "function" || typeof inner.parse !== "function")
    throw invalid("inner must have the methods name, stringify and parse");
  const claims = new Claims({ threshold, ...rest });
  return {
    name: () => `stowage+${inner.name()}`,
    stringify: async (value: unknown): Promise<string> => {
      const text: string | undefined = await inner.stringify(value);
      return typeof text === "string" ? claims.encode(text) : text;
    },
    parse: async (text: string | null | undefined): Promise<unknown> =>
      inner.parse(typeof text === "string" ? await claims.decode(text) : text),
  };
}

/**
 * The references in DBOS's system tables, for `sweep` and `fsck` of `stowage/xcom`, by a `query` that takes `$1`.
 *
 * @example
 * const sources = [dbosReferences((text, values) => pool.query(text, values))];
 * await sweep({ storage, path: "s3://lake@bucket/dbos", sources, layout: claimsLayout({ refreshAfter: "12h" }) });
 */
export function dbosReferences(query: Query, { schema = "dbos" }: TableReferencesOptions = {}): ReferenceSource {
  return tableReferences(query, {
    name: "DBOS's database",
    schema,
    needed: ["workflow_status", "operation_outputs"],
    isOurs: () => true,
    // What a workflow receives, or reads of another, becomes the output of a step; outputs move to a table of their own.
    last: ["operation_outputs", "workflow_status", "workflow_input", "workflow_output"],
  });
}

const SUPERJSON: DBOSSerializer = {
  name: () => "superjson",
  stringify: async (value) => (await superjson()).stringify(value),
  parse: async (text) => (text === null || text === undefined ? null : (await superjson()).parse(text)),
};

async function superjson() {
  try {
    return (await import("superjson")).default;
  } catch (cause) {
    throw failure("Unsupported", "values of DBOS need a package: npm install superjson; or give inner", { cause });
  }
}
