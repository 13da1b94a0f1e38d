/** 320 random table files of pyarrow, pandas, polars and DuckDB, and 300 that these read. */
import { createReadStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import zlib from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect } from "../../src/streams.js";
import { DateTime, Decimal, microsecondsOf, PlainDate } from "../../src/xcom/encoding/types.js";
import {
  type ColumnType,
  decodeRows,
  encodeRows,
  type Row,
  type TableFormat,
  type TableSchema,
} from "../../src/xcom/tables/index.js";
import { all } from "../support/all.js";
import { describePandas } from "../support/pandas.js";

/** The same tables in every run, so that a red run is the change's doing; STOWAGE_TEST_SEED draws others. */
const SEED = Number(process.env.STOWAGE_TEST_SEED ?? 20261129);
const FILES = 20;
const ENGINES = ["pyarrow", "pandas", "polars", "duckdb"] as const;
const FORMATS = ["parquet", "arrow", "csv", "jsonl"] as const satisfies TableFormat[];

type Engine = (typeof ENGINES)[number];
type Cell = string | null | Cell[] | { [name: string]: Cell };
interface Written {
  kinds: string[];
  names: string[];
  rows: Cell[][];
}

/** The text of one cell, as tables.py gives it; `kind` tells integers and floats apart. */
function told(cell: unknown, kind: string): Cell {
  if (cell === null || cell === undefined) return null;
  if (kind === "structs") return (cell as unknown[]).map((one) => told(one, "struct"));
  if (kind === "list") return (cell as unknown[]).map((one) => told(one, "int"));
  if (kind === "struct") {
    const { a, b } = cell as { a: unknown; b: unknown };
    return { a: told(a, "int"), b: told(b, "string") };
  }
  if (kind.startsWith("float")) return Number.isNaN(cell) ? "f nan" : `f ${hex(Number(cell))}`;
  if (typeof cell === "boolean") return `b ${cell}`;
  if (typeof cell === "number" || typeof cell === "bigint") return `i ${cell}`;
  if (typeof cell === "string") return `s ${cell}`;
  if (cell instanceof Date) {
    const isLocal = cell instanceof DateTime && cell.zone === null;
    return `${isLocal ? "l" : "t"} ${microsecondsOf(cell)}`;
  }
  if (cell instanceof PlainDate) return `d ${cell.iso}`;
  if (cell instanceof Decimal) return `n ${cell.text.includes(".") ? cell.text.replace(/\.?0+$/, "") : cell.text}`;
  return `x ${Buffer.from(cell as Uint8Array).toString("hex")}`;
}

function hex(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes.toString("hex");
}

/** csv and jsonl say nothing of their types. */
function schemaOf(kinds: readonly string[], names: readonly string[], format: TableFormat): TableSchema | undefined {
  if (format === "parquet" || format === "arrow") return undefined;
  return Object.fromEntries(names.map((name, at) => [name, kinds[at] as ColumnType]));
}

const TYPES = ["int", "float", "string", "boolean", "date", "timestamp", "datetime"] as const;
/** Types that every engine reads from text without being told a pattern; pyarrow's JSON reader has no dates. */
const SIMPLE = ["int", "float", "string", "boolean", "date"] as const;
const simple = (engine: Engine, format: TableFormat) =>
  engine === "pyarrow" && format === "jsonl" ? SIMPLE.slice(0, -1) : SIMPLE;

/** Node reads zstd from 22.15 on; without it such a file is Unsupported, which another test has. */
const CODECS = ["none", "snappy", "gzip", ...("zstdDecompressSync" in zlib ? ["zstd"] : [])];

/** pandas guesses the types of jsonl; tables-pandas.test.ts has what it makes of it. */
const reads = (engine: Engine, format: TableFormat) => !(engine === "pandas" && format === "jsonl");

const micros = fc.integer({ min: -(2 ** 51), max: 2 ** 52 }).map(BigInt);
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

/** `text`: of the values that csv and jsonl tell apart in every engine. */
function cell(type: (typeof TYPES)[number], text: boolean): fc.Arbitrary<unknown> {
  const some = {
    int: () => int64,
    float: () => fc.double(text ? { noNaN: true, noDefaultInfinity: true } : {}),
    string: () =>
      text
        ? fc.string({ minLength: 1 }).map((value) => `t${value}`)
        : fc.string({ unit: "binary" }).filter((s) => s.isWellFormed()),
    boolean: () => fc.boolean(),
    date: () => micros.map((at) => new PlainDate(new Date(Number(at / 1000n)).toISOString().slice(0, 10))),
    timestamp: () => micros.map((at) => new DateTime(at)),
    datetime: () => micros.map((at) => new DateTime(at, null)),
  }[type]();
  return fc.option(some as fc.Arbitrary<unknown>, { nil: null, freq: 4 });
}

function tableOf(types: readonly (typeof TYPES)[number][], text: boolean) {
  return fc.array(fc.constantFrom(...types), { minLength: 1, maxLength: 5 }).chain((kinds) => {
    const names = kinds.map((kind, at) => `${kind} ${at}`);
    // A row of nulls alone is an empty line of csv, which engines pass over.
    const row = fc
      .tuple(...kinds.map((kind) => cell(kind, text)))
      .filter((cells) => !text || cells.some((one) => one !== null))
      .map((cells): Row => Object.fromEntries(cells.map((one, at) => [names[at]!, one])));
    return fc.record({
      kinds: fc.constant(kinds),
      names: fc.constant(names),
      rows: fc.array(row, { minLength: 1, maxLength: 40 }),
    });
  });
}

await describePandas(
  `tables and their engines, seed ${SEED}`,
  (python) => {
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "stowage-engines-"));
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    async function differences(look: (at: number) => Promise<string | undefined>): Promise<void> {
      const found: string[] = [];
      for (let at = 0; at < FILES; at++) {
        const difference = await look(at).catch((error: unknown) => String(error));
        if (difference !== undefined) found.push(`${at}: ${difference}`.slice(0, 1500));
      }
      expect(found.slice(0, 3), `STOWAGE_TEST_SEED=${SEED}: ${found.length} of ${FILES} differ`).toEqual([]);
    }

    for (const format of FORMATS) {
      for (const engine of ENGINES) {
        test(`${FILES} ${format} files of ${engine} are read as they were written`, async () => {
          await differences(async (at) => {
            const path = join(folder, `${engine}.${format}`);
            const request = { do: "write", seed: SEED * 1000 + at, engine, format, path, codecs: CODECS };
            const { kinds, names, rows }: Written = await python().ask(request);
            const schema = schemaOf(kinds, names, format);
            const found = await all(decodeRows(createReadStream(path), { format, schema }));
            return compare(
              found.map((row) => names.map((name, i) => told(row[name], kinds[i]!))),
              rows,
              kinds,
            );
          });
        });
        if (!reads(engine, format)) continue;
        test(`${engine} reads ${FILES} ${format} files`, async () => {
          const text = format === "csv" || format === "jsonl";
          const made = fc.sample(tableOf(text ? simple(engine, format) : TYPES, text), { numRuns: FILES, seed: SEED });
          await differences(async (at) => {
            const { kinds, names, rows } = made[at]!;
            const path = join(folder, `read-by-${engine}.${format}`);
            const schema: TableSchema = Object.fromEntries(names.map((name, i) => [name, kinds[i]!]));
            await writeFile(path, await collect(encodeRows(rows, { format, schema })));
            const columns = names.map((name, i) => [name, kinds[i]]);
            const found: Cell[][] = await python().ask({ do: "read", engine, format, path, columns });
            return compare(
              found,
              rows.map((row) => names.map((name, i) => told(row[name], kinds[i]!))),
              kinds,
            );
          });
        });
      }
    }
  },
  "../interop/tables.py",
);

function compare(found: Cell[][], wanted: Cell[][], kinds: readonly string[]): string | undefined {
  if (found.length !== wanted.length) return `${found.length} rows, not ${wanted.length} (${kinds.join()})`;
  for (const [at, row] of wanted.entries()) {
    const [one, other] = [JSON.stringify(found[at]), JSON.stringify(row)];
    if (one !== other) return `row ${at} is ${one}, not ${other} (${kinds.join()})`;
  }
  return undefined;
}
