"""The command of kvault on one vault, and a table file's way through it."""

import datetime
import decimal
import json
import subprocess

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from same import arrow_type, different, plain


class Fault(Exception):
    pass


class Kvault:
    def __init__(self, program, vault):
        self.base = [program, "-f", str(vault), "--quiet"]

    def run(self, *args):
        return subprocess.run([*self.base, *map(str, args)], capture_output=True)

    def must(self, *args):
        return self.done(self.run(*args), *args)

    def done(self, done, *args):
        """What a call printed. One that failed is a fault."""
        if done.returncode:
            raise Fault(f"{' '.join(map(str, args))[:200]}: exit {done.returncode}: {done.stderr.decode(errors='replace')[:400]}")
        return done.stdout

    def types(self, prefix=""):
        """The columns under a prefix with their types."""
        made = [json.loads(line) for line in self.must("col", "ls", *([prefix] if prefix else []), "--json").splitlines()]
        return {c["name"].removeprefix(prefix): c["type"] for c in made}


def read(path):
    """A Parquet or Arrow file as pyarrow reads it."""
    if path.suffix == ".parquet":
        return pa.parquet.ParquetFile(path).read()
    with pa.OSFile(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


def tell(x):
    """A nested value as JSON has it."""
    if isinstance(x, dict):
        return {str(k): tell(v) for k, v in x.items()}
    if isinstance(x, list) and x and all(isinstance(v, tuple) for v in x):  # as pyarrow gives a map
        return {str(k): tell(v) for k, v in x}
    if isinstance(x, (list, tuple)):
        return [tell(v) for v in x]
    if isinstance(x, decimal.Decimal):
        return str(x)
    if isinstance(x, (datetime.datetime, datetime.date, datetime.time)):
        return x.isoformat()
    return x


def expected(column, typ):
    """The column of a file as it is to come out of a column of kvault's type typ."""
    column, kind = plain(column), typ.removesuffix(":null")
    if column.null_count and kind == typ and kind not in ("msgpack", "cbor"):  # which have a null of their own
        raise Fault(f"nulls in a column of type {typ}")
    source = column.type
    if kind.startswith("vec:") or kind.startswith("bytes:") and kind != "bytes:1:bool":
        return column
    if kind in ("msgpack", "cbor"):
        return column
    want = arrow_type(typ)
    if pa.types.is_null(source):
        return pa.nulls(len(column), want)
    if pa.types.is_decimal(source):
        parse = float if pa.types.is_floating(want) else int if pa.types.is_integer(want) else lambda x: format(x, "f")
        return pa.array([None if x is None else parse(x) for x in column.to_pylist()], want)
    if pa.types.is_time(source) and pa.types.is_string(want):
        return pa.array([None if x is None else x.isoformat() for x in column.to_pylist()], want)
    if pa.types.is_time(source) or pa.types.is_duration(source):
        bits = pa.int32() if pa.types.is_time32(source) else pa.int64()
        return column.cast(bits).cast(want)
    return column.cast(want)


def trip(kvault, path, folder):
    """Imports a table file and exports it as Parquet and Arrow. Returns the number of values compared, the types, and what differs."""
    source = read(path)
    kvault.must("col", "append", "t/", "--from", path, "--infer")
    types = kvault.types("t/")
    if list(types) != source.column_names:
        raise Fault(f"columns {list(types)}, want {source.column_names}")
    faults, compared = [], 0
    want = {name: expected(source[name], typ) for name, typ in types.items()}
    for ending in ("parquet", "arrow"):
        out = folder / f"again.{ending}"
        kvault.must("col", "export", "t/", "-o", out)
        got = read(out)
        if got.column_names != source.column_names:
            raise Fault(f"{ending}: columns {got.column_names}, want {source.column_names}")
        for name, typ in types.items():
            compared += len(want[name])
            if typ.startswith(("vec:", "msgpack", "cbor")):
                n, how = nested(want[name], got[name], typ)
            else:
                n, how = different(in_format(want[name], ending), got[name])
            if n:
                faults.append(f"{ending} again: {name!r} ({source.schema.field(name).type} in {typ}): {n} differ: {how}")
    return compared, types, faults


def in_format(column, ending):
    """Parquet has no timestamps in seconds: they are in milliseconds there."""
    if ending == "parquet" and pa.types.is_timestamp(column.type) and column.type.unit == "s":
        return column.cast(pa.timestamp("ms", tz=column.type.tz))
    return column


def nested(want, got, typ):
    """different for columns of vectors of one length, which come out as lists, and of other vectors and values of any form, which come out as
    JSON."""
    want, got = want.to_pylist(), plain(got).to_pylist()
    want, got = [tell(x) for x in want], [json.loads(x) if isinstance(x, str) else x for x in got]
    if typ.startswith("vec:f32"):  # as text they have no more digits than they need
        want, got = [np.float32(x).tolist() for x in want], [np.float32(x).tolist() for x in got]
    unlike = [i for i, (a, b) in enumerate(zip(want, got, strict=True)) if a != b]
    return (len(unlike), f"row {unlike[0]}: {got[unlike[0]]!r}, want {want[unlike[0]]!r}") if unlike else (0, "")
