"""Random tables, written and read by pyarrow, pandas, polars and DuckDB; driven by JSON lines as dataframes.py is.

A cell is compared as text that names its type: two engines agree if they give the same text.
"""
import datetime as dt
import decimal
import io
import json
import random
import struct
import sys
import traceback

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

UTC = dt.timezone.utc
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
#: The types that text formats have, and those that only Parquet and Arrow have.
PLAIN = {
    "int": pa.int64(),
    "float": pa.float64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "datetime": pa.timestamp("us"),
}
RICH = {
    "decimal": pa.decimal128(18, 4),
    "bytes": pa.binary(),
    "list": pa.list_(pa.int64()),
    "struct": pa.struct([("a", pa.int64()), ("b", pa.string())]),
    "structs": pa.list_(pa.struct([("a", pa.int64()), ("b", pa.string())])),
    "float32": pa.float32(),
    "int16": pa.int16(),
    "uint64": pa.uint64(),
}
TEXTS = ["a", "", "é", "雪 🚀", '"', "x,y", "l\nm", "null", "NaN", "1", " s ", "\ufeffb", "0" * 40]


def cell(rng, kind, text):
    """One random cell; `text` formats get no values that they cannot tell apart."""
    if rng.random() < 0.2:
        return None
    if kind == "int":
        return rng.choice([0, -1, 2**53 + 1, -(2**63), 2**63 - 1, rng.randrange(-(2**40), 2**40)])
    if kind == "float":
        special = [] if text else [float("nan"), float("inf"), -0.0]
        return rng.choice([0.1, 1e-7, 1e22, 2.5, rng.uniform(-1e6, 1e6), *special])
    if kind == "string":
        return rng.choice([one for one in TEXTS if not text or one not in ("", "null", "NaN", "1", " s ", "\ufeffb")])
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "date":
        return dt.date(1, 1, 1) + dt.timedelta(days=rng.randrange(700_000, 760_000))
    if kind in ("timestamp", "datetime"):
        moment = EPOCH + dt.timedelta(microseconds=rng.randrange(-(2**51), 2**52))
        return moment if kind == "timestamp" else moment.replace(tzinfo=None)
    if kind == "decimal":
        return decimal.Decimal(rng.randrange(-(10**12), 10**12)).scaleb(-4)
    if kind == "bytes":
        return rng.randbytes(rng.randrange(4))
    if kind == "list":
        return [rng.choice([None, rng.randrange(100)]) for _ in range(rng.randrange(4))]
    if kind == "struct":
        return {"a": rng.choice([None, rng.randrange(100)]), "b": rng.choice([None, "t"])}
    if kind == "structs":
        return [{"a": at, "b": "t"} for at in range(rng.randrange(3))]
    if kind == "float32":
        return rng.choice([0.5, -1.25, 3.0])
    return rng.randrange(2**15) if kind == "int16" else rng.randrange(2**64)


def table(seed, text):
    rng = random.Random(seed)
    types = PLAIN if text else {**PLAIN, **RICH}
    # A null in a csv of one column is an empty line, which readers pass over and stowage refuses.
    kinds = [rng.choice(list(types)) for _ in range(rng.randrange(2 if text else 1, 6))]
    empty = not text and seed % 1000 == 0
    if empty:
        kinds = list(types)
    names = [f"{kind} {at}" for at, kind in enumerate(kinds)]
    rows = 0 if empty else rng.choice([1, 2, 7, 60]) if text else rng.choice([0, 1, 7, 60, 1000])
    columns = [pa.array([cell(rng, kind, text) for _ in range(rows)], types[kind]) for kind in kinds]
    return pa.table(columns, names=names), kinds, rng


def told(value):
    """The text of one cell."""
    if value is None:
        return None
    if isinstance(value, bool):
        return f"b {value}".lower()
    if isinstance(value, int):
        return f"i {value}"
    if isinstance(value, float):
        return "f " + struct.pack(">d", value).hex() if value == value else "f nan"
    if isinstance(value, str):
        return f"s {value}"
    if isinstance(value, dt.datetime):
        aware = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        return f"{'t' if value.tzinfo else 'l'} {(aware - EPOCH) // dt.timedelta(microseconds=1)}"
    if isinstance(value, dt.date):
        return f"d {value.isoformat()}"
    if isinstance(value, decimal.Decimal):
        return f"n {value.normalize():f}"
    if isinstance(value, bytes):
        return f"x {value.hex()}"
    if isinstance(value, list):
        return [told(one) for one in value]
    return {name: told(one) for name, one in value.items()}


def rows_of(found):
    return [[told(one) for one in row.values()] for row in found.to_pylist()]


def to_pandas(found):
    return found.to_pandas(types_mapper=pd.ArrowDtype)


def write_parquet(engine, found, path, rng, codecs):
    codec = rng.choice(codecs)
    if engine == "pyarrow":
        options = {"data_page_version": rng.choice(["1.0", "2.0"]), "use_dictionary": rng.random() < 0.5}
        pq.write_table(found, path, compression=codec, row_group_size=rng.choice([10, 1000]), **options)
    elif engine == "pandas":
        to_pandas(found).to_parquet(path, index=False, compression=None if codec == "none" else codec)
    elif engine == "polars":
        codec = "uncompressed" if codec == "none" else codec
        pl.from_arrow(found).write_parquet(path, compression=codec, row_group_size=rng.choice([10, 1000]))
    else:
        duckdb.from_arrow(found).write_parquet(path, compression="uncompressed" if codec == "none" else codec)


def write_arrow(engine, found, path, rng, _codecs):
    if engine == "polars":
        return pl.from_arrow(found).write_ipc_stream(path, compat_level=pl.CompatLevel.oldest())
    written = duckdb.from_arrow(found).to_arrow_table() if engine == "duckdb" else found
    written = pa.Table.from_pandas(to_pandas(found), preserve_index=False) if engine == "pandas" else written
    with pa.ipc.new_stream(path, written.schema) as out:
        out.write_table(written, max_chunksize=rng.choice([10, 1000]))


def write_csv(engine, found, path, _rng, _codecs):
    if engine == "pyarrow":
        pa.csv.write_csv(found, path)
    elif engine == "pandas":
        to_pandas(found).to_csv(path, index=False)
    elif engine == "polars":
        # polars has one pattern for all moments, with a zone or without.
        local = pl.selectors.datetime(time_zone=None)
        frame = pl.from_arrow(found).with_columns(local.dt.to_string("%Y-%m-%dT%H:%M:%S%.6f"))
        frame.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
    else:
        duckdb.from_arrow(found).write_csv(path, header=True)


def write_jsonl(engine, found, path, _rng, _codecs):
    if engine == "polars":
        pl.from_arrow(found).write_ndjson(path)
    elif engine == "duckdb":
        relation = duckdb.from_arrow(found)
        duckdb.sql(f"COPY (SELECT * FROM relation) TO '{path}' (FORMAT json)")
        del relation
    else:
        to_pandas(found).to_json(path, orient="records", lines=True, date_format="iso", date_unit="us", double_precision=15)


WRITE = {"parquet": write_parquet, "arrow": write_arrow, "csv": write_csv, "jsonl": write_jsonl}


def write(seed, engine, format, path, codecs):
    """Writes a random table; its column types and its cells."""
    found, kinds, rng = table(seed, format in ("csv", "jsonl"))
    WRITE[format](engine, found, path, rng, codecs)
    return {"kinds": kinds, "names": found.column_names, "rows": rows_of(found)}


def schema_of(columns):
    return pa.schema([(name, PLAIN.get(kind) or RICH[kind]) for name, kind in columns])


def read_parquet(engine, path, _columns):
    if engine == "pyarrow":
        return pq.read_table(path)
    if engine == "pandas":
        return pa.Table.from_pandas(pd.read_parquet(path, dtype_backend="pyarrow"), preserve_index=False)
    return pl.read_parquet(path).to_arrow() if engine == "polars" else duckdb.read_parquet(path).to_arrow_table()


def read_arrow(engine, path, _columns):
    if engine == "polars":
        return pl.read_ipc_stream(path).to_arrow()
    found = pa.ipc.open_stream(path).read_all()
    if engine == "pandas":
        return pa.Table.from_pandas(to_pandas(found), preserve_index=False)
    return duckdb.from_arrow(found).to_arrow_table() if engine == "duckdb" else found


POLARS = {"int": pl.Int64, "float": pl.Float64, "string": pl.String, "boolean": pl.Boolean, "date": pl.Date}
DUCKDB = {"int": "BIGINT", "float": "DOUBLE", "string": "VARCHAR", "boolean": "BOOLEAN", "date": "DATE"}


def read_csv(engine, path, columns):
    parse = pa.csv.ParseOptions(newlines_in_values=True)
    types = {name: PLAIN[kind] for name, kind in columns}
    convert = pa.csv.ConvertOptions(column_types=types, strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""])
    if engine == "pyarrow":
        return pa.csv.read_csv(path, parse_options=parse, convert_options=convert)
    if engine == "pandas":
        return pa.Table.from_pandas(pd.read_csv(path, dtype={name: pd.ArrowDtype(kind) for name, kind in types.items()}), preserve_index=False)
    if engine == "polars":
        return pl.read_csv(path, schema={name: POLARS[kind] for name, kind in columns}).to_arrow()
    return duckdb.read_csv(path, header=True, dtype={name: DUCKDB[kind] for name, kind in columns}).to_arrow_table()


def read_jsonl(engine, path, columns):
    if engine == "pyarrow":
        return pa.json.read_json(path, parse_options=pa.json.ParseOptions(explicit_schema=schema_of(columns)))
    if engine == "polars":
        return pl.read_ndjson(path, schema={name: POLARS[kind] for name, kind in columns}).to_arrow()
    return duckdb.read_json(path, columns={name: DUCKDB[kind] for name, kind in columns}, format="newline_delimited").to_arrow_table()


READ = {"parquet": read_parquet, "arrow": read_arrow, "csv": read_csv, "jsonl": read_jsonl}


def read(engine, format, path, columns):
    """The cells of a file that stowage wrote."""
    return rows_of(READ[format](engine, path, columns))


REQUESTS = {"write": write, "read": read}

if __name__ == "__main__":
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": REQUESTS[request.pop("do")](**request)}
        except Exception as error:
            answer = {"error": repr(error), "trace": traceback.format_exc()}
        print(json.dumps(answer), flush=True)
