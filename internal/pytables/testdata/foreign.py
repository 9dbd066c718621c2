"""Parquet and Arrow files that pyarrow, pandas, polars and DuckDB write, with every type, encoding and compression that they have, imported and
exported again. Prints a JSON object for each file, and is called by the tests of this folder's parent."""

import argparse
import datetime
import decimal
import json
import math
import tempfile
import traceback
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet as pq

from vault import Fault, Kvault, trip

ROWS = 3000
NULLS = [i % 7 == 3 or 100 <= i < 400 for i in range(ROWS)]
random = np.random.default_rng(1)


def some(values, nulls=True):
    return [None if nulls and gone else x for x, gone in zip(values, NULLS, strict=True)]


def integers(low, high):
    x = [int(i) for i in random.integers(low, high, ROWS, endpoint=True, dtype=np.int64)]
    x[:4] = [low, high, 0, 1]
    return x


def floats():
    x = [float(i) for i in random.standard_normal(ROWS) * 10.0 ** random.integers(-300, 300, ROWS)]
    x[:7] = [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1.7976931348623157e308]
    return x


TEXTS = ["", "a", "ä", "\U0001f511", "with,comma", 'with "quotes"', "two\nlines", "CR LF\r\n", "\t", " spaces ", "NA", "null", "x" * 300]


def words():
    return [TEXTS[i % len(TEXTS)] for i in range(ROWS)]


def columns(nulls):
    """Plain columns of all types, by name."""
    days = [datetime.date(1970, 1, 1) + datetime.timedelta(days=int(d)) for d in random.integers(-200000, 200000, ROWS)]
    c = {}
    for bits in (8, 16, 32, 64):
        c[f"int{bits}"] = pa.array(some(integers(-(1 << bits - 1), (1 << bits - 1) - 1), nulls), f"int{bits}")
        most = (1 << min(bits, 63)) - 1  # what is above does not fit, see refused
        c[f"uint{bits}"] = pa.array(some(integers(0, most), nulls), f"uint{bits}")
    c["float64"] = pa.array(some(floats(), nulls), pa.float64())
    with np.errstate(over="ignore"):
        c["float32"] = pa.array(some([float(np.float32(x)) for x in floats()], nulls), pa.float32())
        c["float16"] = pa.array(some([np.float16(x) for x in random.standard_normal(ROWS)], nulls), pa.float16())
    c["bool"] = pa.array(some([i % 3 == 0 for i in range(ROWS)], nulls), pa.bool_())
    c["runs"] = pa.array(some([i // 100 % 2 == 0 for i in range(ROWS)], nulls), pa.bool_())
    c["string"] = pa.array(some(words(), nulls), pa.string())
    c["large_string"] = c["string"].cast(pa.large_string())
    c["dictionary"] = c["string"].dictionary_encode()
    c["unique"] = pa.array(some([f"text {i} {i * i}" for i in range(ROWS)], nulls), pa.string())
    c["binary"] = pa.array(some([random.bytes(i % 20) for i in range(ROWS)], nulls), pa.binary())
    c["large_binary"] = c["binary"].cast(pa.large_binary())
    c["date32"] = pa.array(some(days, nulls), pa.date32())
    for unit, per in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)):
        x = pa.array(some(integers(-(2**31) * per, 2**31 * per), nulls), pa.int64())
        c[f"timestamp {unit}"] = x.cast(pa.timestamp(unit))
        c[f"timestamp {unit} utc"] = x.cast(pa.timestamp(unit, tz="UTC"))
        c[f"timestamp {unit} zone"] = x.cast(pa.timestamp(unit, tz="Europe/Berlin"))
    if not nulls:
        c["fixed"] = pa.array([random.bytes(5) for _ in range(ROWS)], pa.binary(5))
        c["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(random.standard_normal(ROWS * 4).astype(np.float32)), 4)
    return c


def views(nulls):
    c = columns(nulls)
    return {"string_view": c["string"].cast(pa.string_view()), "binary_view": c["binary"].cast(pa.binary_view())}


def by_rule(nulls):
    """Types that have none of their own in a vault, and go into another by a rule that the documentation states."""
    c = {}
    c["decimal small"] = pa.array(some([decimal.Decimal(i - 1500).scaleb(-2) for i in range(ROWS)], nulls), pa.decimal128(9, 2))
    c["decimal"] = pa.array(some([decimal.Decimal(i * 10**15 - 7).scaleb(-5) for i in range(ROWS)], nulls), pa.decimal128(30, 5))
    c["decimal256"] = pa.array(some([decimal.Decimal(i * 10**40 + 1).scaleb(-5) for i in range(ROWS)], nulls), pa.decimal256(60, 5))
    c["time32"] = pa.array(some([i * 1000 for i in range(ROWS)], nulls), pa.int32()).cast(pa.time32("ms"))
    c["time64"] = pa.array(some([i * 1001001 for i in range(ROWS)], nulls), pa.int64()).cast(pa.time64("us"))
    c["duration"] = pa.array(some([i * 1001001 - 10**9 for i in range(ROWS)], nulls), pa.int64()).cast(pa.duration("us"))
    c["list"] = pa.array(some([list(range(i % 5)) for i in range(ROWS)], nulls), pa.list_(pa.int64()))
    c["texts"] = pa.array(some([["a", "", None, "ä"][: i % 5] for i in range(ROWS)], nulls), pa.list_(pa.string()))
    c["struct"] = pa.array(some([{"a": i, "b": None if i % 3 else "x", "c": [i]} for i in range(ROWS)], nulls))
    c["map of integers"] = pa.array(some([[(i, str(i)), (-1, None)] for i in range(ROWS)], nulls), pa.map_(pa.int32(), pa.string()))
    c["map"] = pa.array(some([[("a", i)] for i in range(ROWS)], nulls), pa.map_(pa.string(), pa.int64()))
    return c


def write_ipc(table, path, **options):
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=700)


def pyarrow_files():
    for nulls in (False, True):
        c = columns(nulls)
        table = pa.table(c)
        name = "pyarrow, nulls" if nulls else "pyarrow"
        for compression in ("none", "snappy", "gzip", "brotli", "lz4", "zstd"):
            yield f"{name}, {compression}.parquet", lambda p, t=table, z=compression: pq.write_table(t, p, compression=z, row_group_size=1100)
        for version in ("1.0", "2.4", "2.6"):
            yield f"{name}, version {version}.parquet", lambda p, t=table, v=version: pq.write_table(
                t, p, version=v, coerce_timestamps="us", allow_truncated_timestamps=True
            )
        yield f"{name}, pages v2.parquet", lambda p, t=table: pq.write_table(t, p, data_page_version="2.0", data_page_size=500)
        yield f"{name}, plain.parquet", lambda p, t=table: pq.write_table(t, p, use_dictionary=False, data_page_size=500)
        yield f"{name}, int96.parquet", lambda p, t=table: pq.write_table(t, p, use_deprecated_int96_timestamps=True)
        yield f"{name}, no schema.parquet", lambda p, t=table: pq.write_table(t, p, store_schema=False)
        yield f"{name}, small dictionaries.parquet", lambda p, t=table: pq.write_table(t, p, dictionary_pagesize_limit=200, data_page_size=300)
        for encoding, fits in {
            "DELTA_BINARY_PACKED": lambda t: pa.types.is_integer(t) or pa.types.is_timestamp(t),
            "DELTA_LENGTH_BYTE_ARRAY": lambda t: pa.types.is_string(t) or pa.types.is_binary(t),
            "DELTA_BYTE_ARRAY": lambda t: pa.types.is_string(t) or pa.types.is_binary(t) or pa.types.is_fixed_size_binary(t),
            "BYTE_STREAM_SPLIT": lambda t: pa.types.is_floating(t) or pa.types.is_int32(t) or pa.types.is_int64(t) or pa.types.is_fixed_size_binary(t),
            "RLE": pa.types.is_boolean,
        }.items():
            part = pa.table({k: v for k, v in c.items() if fits(v.type)})
            yield f"{name}, {encoding}.parquet", lambda p, t=part, e=encoding: pq.write_table(
                t, p, use_dictionary=False, column_encoding=dict.fromkeys(t.column_names, e), data_page_version="2.0", data_page_size=2000
            )
        yield f"{name}.arrow", lambda p, t=table: write_ipc(t, p)
        for compression in ("lz4", "zstd"):
            yield f"{name}, {compression}.arrow", lambda p, t=table, z=compression: write_ipc(t, p, compression=z)
        for kind, make in (("views", views), ("by rule", by_rule)):
            for k, v in make(nulls).items():
                yield f"{name}, {kind}, {k}.arrow", lambda p, t=pa.table({k: v}): write_ipc(t, p)
                if k != "duration":
                    yield f"{name}, {kind}, {k}.parquet", lambda p, t=pa.table({k: v}): pq.write_table(t, p, row_group_size=1100)
    yield "pyarrow, all null.parquet", lambda p: pq.write_table(pa.table({"a": pa.nulls(10), "b": pa.nulls(10, pa.int64())}), p)
    yield "pyarrow, all null.arrow", lambda p: write_ipc(pa.table({"a": pa.nulls(10), "b": pa.nulls(10, pa.int64())}), p)
    yield "pyarrow, no rows.parquet", lambda p: pq.write_table(pa.table(columns(True)).slice(0, 0), p)
    yield "pyarrow, no rows.arrow", lambda p: write_ipc(pa.table(columns(True)).slice(0, 0), p)
    yield "pyarrow, lists of null.parquet", lambda p: pq.write_table(pa.table({"a": pa.array([[None], [], None], pa.list_(pa.null()))}), p)
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 700, 2000], pa.int32()), pa.array(["a", None, "b"]))
    yield "pyarrow, run ends.arrow", lambda p: write_ipc(pa.table({"r": runs}), p)
    large = pa.table({"x": pa.array([bytes([i]) * (9 << 20) for i in range(9)], pa.binary())})
    yield "pyarrow, page over 64 MiB.parquet", lambda p: pq.write_table(large, p, use_dictionary=False, data_page_size=1 << 30, write_batch_size=100)
    yield "pyarrow, date64.arrow", lambda p: write_ipc(pa.table({"d": columns(True)["date32"].cast(pa.date64())}), p)
    texts = pa.array([TEXTS[i % 5] for i in range(20000)]).dictionary_encode()
    for index in (pa.int8(), pa.uint8(), pa.int16(), pa.uint32(), pa.int64()):
        t = pa.table({"d": pa.DictionaryArray.from_arrays(texts.indices.cast(index), texts.dictionary)})
        yield f"pyarrow, dictionary of {index}.arrow", lambda p, t=t: write_ipc(t, p)
    numbers = pa.array([i % 300 for i in range(20000)]).dictionary_encode()
    yield "pyarrow, dictionary of numbers.arrow", lambda p: write_ipc(pa.table({"d": numbers}), p)
    yield "pyarrow, dictionary of numbers.parquet", lambda p: pq.write_table(pa.table({"d": numbers}), p)
    chunks = pa.chunked_array([pa.array(x).dictionary_encode() for x in (["a", "b"], ["c", "a"], ["c", None])])
    yield "pyarrow, dictionary that changes.arrow", lambda p: write_ipc(pa.table({"d": chunks}).unify_dictionaries(), p)


def pandas_files():
    c = columns(True)
    frame = pd.DataFrame({
        "int": pd.array(c["int64"].to_pylist(), dtype="Int64"),
        "float": c["float64"].to_numpy(zero_copy_only=False),
        "bool": pd.array(c["bool"].to_pylist(), dtype="boolean"),
        "string": c["string"].to_pylist(),
        "category": pd.Categorical(c["dictionary"].to_pylist()),
        "ordered": pd.Categorical([i % 3 for i in range(ROWS)], ordered=True),
        "ns": c["timestamp ns"].to_numpy(zero_copy_only=False),
        "zone": pd.date_range("2013-03-01", periods=ROWS, freq="h", tz="America/New_York"),
        "uint8": np.arange(ROWS, dtype=np.uint8),
    })
    yield "pandas.parquet", lambda p: frame.to_parquet(p)
    yield "pandas, index.parquet", lambda p: frame.set_index(pd.Index([f"row {i}" for i in range(ROWS)], name="key")).to_parquet(p)
    yield "pandas, index without a name.parquet", lambda p: frame[frame["uint8"] > 7].to_parquet(p)
    yield "pandas.arrow", lambda p: frame.to_feather(p)


def polars_files():
    frame = pl.from_arrow(pa.table({k: v for k, v in columns(True).items() if k not in ("float16",) and not k.startswith("timestamp s")}))
    frame = frame.with_columns(
        frame["string"].cast(pl.Categorical).alias("categorical"), pl.Series("enum", ["a", "b", None] * (ROWS // 3), dtype=pl.Enum(["a", "b"]))
    )
    for compression in ("zstd", "snappy", "gzip", "lz4", "brotli", "uncompressed"):
        yield f"polars, {compression}.parquet", lambda p, z=compression: frame.write_parquet(p, compression=z, row_group_size=1100)
    yield "polars, small pages.parquet", lambda p: frame.write_parquet(p, data_page_size=300)
    for compression in ("uncompressed", "lz4", "zstd"):
        yield f"polars, {compression}.arrow", lambda p, z=compression: frame.write_ipc(p, compression=z)
    yield "polars, oldest.arrow", lambda p: frame.write_ipc(p, compat_level=pl.CompatLevel.oldest())
    ruled = pl.DataFrame({
        "decimal": pl.Series([decimal.Decimal(i).scaleb(-2) for i in range(ROWS)], dtype=pl.Decimal(20, 2)),
        "time": [datetime.time(i // 60 % 24, i % 60, 1, i) for i in range(ROWS)],
        "list": [list(range(i % 4)) for i in range(ROWS)],
        "struct": [{"a": i, "b": str(i)} for i in range(ROWS)],
    })
    for name in ruled.columns:
        yield f"polars, by rule, {name}.parquet", lambda p, n=name: ruled.select(n).write_parquet(p)
        yield f"polars, by rule, {name}.arrow", lambda p, n=name: ruled.select(n).write_ipc(p)


DUCKDB = """SELECT i AS bigint, (i % 100)::TINYINT AS tinyint, (i * 7)::UINTEGER AS uinteger, i::DOUBLE / 3 AS double, i::FLOAT / 3 AS float,
i % 3 = 0 AS bool, 'text ' || i % 50 AS varchar, CASE WHEN i % 7 > 0 THEN 'x' || i END AS nulls, ('ab' || i)::BLOB AS blob,
DATE '1990-01-01' + i::INTEGER AS date, TIMESTAMP '2013-01-01' + to_seconds(i) AS timestamp, (TIMESTAMP '2013-01-01' + to_seconds(i))::TIMESTAMP_NS AS ns,
(TIMESTAMP '2013-01-01' + to_seconds(i))::TIMESTAMPTZ AS timestamptz, (CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END)::ENUM('even', 'odd') AS enum
FROM range(3000) t(i)"""
DUCKDB_BY_RULE = {
    "decimal": "(i / 100)::DECIMAL(18, 2)", "small decimal": "(i / 100)::DECIMAL(4, 1)", "large decimal": "(i / 100)::DECIMAL(38, 10)",
    "time": "TIME '00:00:00' + to_seconds(i)", "list": "[i, i + 1]", "struct": "{'a': i, 'b': 'x' || i}", "map": "MAP {'a': i}",
    "array": "[i, 2 * i, 3]::DOUBLE[3]",
}


def duckdb_files():
    for compression in ("snappy", "zstd", "gzip", "brotli", "lz4_raw", "uncompressed"):
        yield f"duckdb, {compression}.parquet", lambda p, z=compression: duckdb.sql(f"COPY ({DUCKDB}) TO '{p}' (FORMAT parquet, COMPRESSION {z})")
    yield "duckdb, v2.parquet", lambda p: duckdb.sql(f"COPY ({DUCKDB}) TO '{p}' (FORMAT parquet, PARQUET_VERSION v2)")
    yield "duckdb, small groups.parquet", lambda p: duckdb.sql(f"COPY ({DUCKDB}) TO '{p}' (FORMAT parquet, ROW_GROUP_SIZE 700)")
    for name, sql in DUCKDB_BY_RULE.items():
        select = f"SELECT {sql} AS x FROM range(2000) t(i)"
        yield f"duckdb, by rule, {name}.parquet", lambda p, s=select: duckdb.sql(f"COPY ({s}) TO '{p}' (FORMAT parquet)")


def refused_files():
    """Files that no column holds, with the name of the column that the message is to have."""
    yield "uint64 above 63 bits.parquet", "large", lambda p: pq.write_table(pa.table({"large": pa.array([1 << 63], pa.uint64())}), p)
    yield "interval.arrow", "gap", lambda p: write_ipc(pa.table({"n": [1], "gap": pa.array([pa.MonthDayNano([1, 2, 3])])}), p)
    either = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])])
    yield "union.arrow", "either", lambda p: write_ipc(pa.table({"n": [1, 2], "either": either}), p)
    yield "pyarrow, truncated.parquet", "", truncated
    yield "a stream.parquet", "", lambda p: pa.ipc.new_stream(p, pa.schema([("n", pa.int64())])).close()
    yield "CSV.parquet", "", lambda p: p.write_text("n\n1\n")
    yield "CSV.arrow", "", lambda p: p.write_text("n\n1\n")
    yield "Parquet.arrow", "", lambda p: pq.write_table(pa.table({"n": [1]}), p)
    yield "Parquet.csv", "", lambda p: pq.write_table(pa.table({"n": [1]}), p)
    yield "Arrow.ndjson", "", lambda p: write_ipc(pa.table({"n": [1]}), p)
    yield "UTF-16.csv", "", lambda p: p.write_bytes("n,m\n1,2\n".encode("utf-16"))
    yield "nothing.csv", "", lambda p: p.write_bytes(b"")
    yield "nothing.parquet", "", lambda p: p.write_bytes(b"")
    yield "spreadsheet.xlsx", "", lambda p: p.write_bytes(b"PK\x03\x04")


def truncated(path):
    pq.write_table(pa.table({"n": list(range(10000))}), path)
    path.write_bytes(path.read_bytes()[:-100])


def refuse(program, name, column, write):
    """What the command says of a file that it is to refuse. It is to name the column, speak in sentences of its own, and leave nothing."""
    result = {"file": name, "cells": 0, "compared": 0, "types": {}, "faults": [], "message": ""}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        path, vault = folder / f"file{Path(name).suffix}", Kvault(program, folder / "vault.kv")
        write(path)
        done = vault.run("col", "append", "t/", "--from", path, "--infer")
        message = result["message"] = done.stderr.decode(errors="replace")
        if done.returncode == 0:
            result["faults"].append("taken")
        for word in ("strconv", "pflag", "goroutine", "panic", "arrow-go", "runtime error"):
            if word in message:
                result["faults"].append(f"speaks of {word}: {message[:300]}")
        if column and column not in message:
            result["faults"].append(f"does not name {column}: {message[:300]}")
        if (folder / "vault.kv").exists() and vault.run("col", "ls").stdout:
            result["faults"].append("columns are left")
    return result


def compare(program, name, write):
    result = {"file": name, "cells": 0, "compared": 0, "types": {}, "faults": []}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        path = folder / f"file{Path(name).suffix}"
        try:
            write(path)
        except Exception as e:
            result["faults"] = [f"cannot be written: {e}"]
            return result
        try:
            result["compared"], result["types"], result["faults"] = trip(Kvault(program, folder / "vault.kv"), path, folder)
        except Fault as e:
            result["faults"].append(str(e))
        except Exception:
            result["faults"].append(traceback.format_exc()[-600:])
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kvault", required=True)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    for files in (pyarrow_files, pandas_files, polars_files, duckdb_files):
        for name, write in files():
            if args.only in name:
                print(json.dumps(compare(args.kvault, name, write)), flush=True)
    for name, column, write in refused_files():
        if args.only in name:
            print(json.dumps(refuse(args.kvault, name, column, write)), flush=True)


if __name__ == "__main__":
    main()
