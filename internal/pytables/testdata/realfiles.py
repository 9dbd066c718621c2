"""Imports CSV files that packages ship into vaults, exports them in every format, and compares each value that pyarrow, pandas, polars and DuckDB
read there with the text of the original. Prints a JSON object for each file, and is called by the tests of this folder's parent."""

import argparse
import csv
import io
import json
import multiprocessing
import os
import shlex
import tempfile
import traceback
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet

import datasets
from same import arrow_type, different, plain, typed
from vault import Fault, Kvault, trip

csv.field_size_limit(1 << 30)


def prepared(data):
    """The file as it can be imported, its column names, and what had to be mended. A heading that is missing or given twice is replaced, as a
    message of the command says; lines of differing lengths are left."""
    text = data.decode("utf-8-sig")
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, strict=True)
    try:
        head = next(reader)
        widths = {len(row) for row in reader if row or len(head) == 1}
    except csv.Error:
        return data, [], "quotes that do not enclose a field"
    if widths - {len(head)}:
        return data, head, "lines of differing lengths"
    names, mended = [], ""
    for i, name in enumerate(head):
        if name == "" or name in names:
            mended = "no heading" if name == "" else "a heading twice"
            name = f"column {i + 1}"
        names.append(name)
    if not mended:
        return data, names, ""
    lines = io.StringIO(text, newline="")
    first = csv.reader(lines)
    next(first)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(names)
    return (out.getvalue() + lines.read()).encode(), names, mended


def texts(path, names, null):
    """The fields of a CSV file as pyarrow has them: strings, and null for a field that is this text and not quoted."""
    size = max(path.stat().st_size, 1) + 1
    table = pa.csv.read_csv(
        path,
        read_options=pa.csv.ReadOptions(column_names=names, skip_rows=0, block_size=size, use_threads=False),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=len(names) > 1),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=[null], strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )
    return table.slice(1)  # without the heading, which may be longer than one line


REFUSED = ("lines of differing lengths", "quotes that do not enclose a field")


class Comparison:
    def __init__(self, program, folder, name, data):
        self.program, self.folder, self.name, self.data = program, folder, name, data
        self.result = {"file": name, "rows": 0, "columns": 0, "cells": 0, "compared": 0, "differing": 0, "notes": {}, "faults": []}

    def note(self, reason, n=1):
        self.result["notes"][reason] = self.result["notes"].get(reason, 0) + n

    def fault(self, text, cells=0):
        self.result["differing"] += cells
        self.result["faults"].append(text[:600])

    def run(self):
        data, names, mended = prepared(self.data)
        self.path = self.folder / "original.csv"
        self.path.write_bytes(data)
        self.vault = Kvault(self.program, self.folder / "vault.kv")
        if mended in REFUSED:
            return self.refused(mended)
        if mended:
            self.note(mended)
        self.null = "NA" if any(c.null_count for c in texts(self.path, names, "NA").columns) else ""
        self.null_is = ["--null", self.null] if self.null else []
        self.names, self.texts = names, texts(self.path, names, self.null)
        self.result.update(rows=self.texts.num_rows, columns=len(names), cells=self.texts.num_rows * len(names))
        self.append()
        self.expect()
        for check in (self.parquet, self.arrow, self.csv, self.ndjson, self.pandas, self.others):
            try:
                check()
            except Exception as e:  # a reader that fails is a fault of this file, and the others are still to be asked
                self.fault(f"{check.__name__}: {type(e).__name__}: {e}")

    def append(self):
        """Imports the file. If the sample that the types were found from misled the command, what it then says of all rows must be right."""
        args = ["col", "append", "t/", "--from", self.path, "--infer", *self.null_is]
        done = self.vault.run(*args)
        if b"or --delimiter ',' if the table has one column" in done.stderr:  # which is how the other programs read it
            self.note("no comma in the first line, and the advice followed")
            args += ["--delimiter", ","]
            done = self.vault.run(*args)
        _, misled, advice = done.stderr.decode().strip().partition("all rows fit with ")
        if done.returncode == 0 or not misled:
            return self.vault.done(done, *args)
        self.note("types of the first rows that later ones do not fit, and the advice followed")
        self.vault.must(*args, *shlex.split(advice))

    def refused(self, reason):
        """Such a file is refused, with the line, and nothing is left of it."""
        done = self.vault.run("col", "append", "t/", "--from", self.path, "--infer")
        message = done.stderr.decode()
        if done.returncode == 0:
            return self.fault(f"{reason}, and it is imported")
        if "line " not in message and "row " not in message:
            self.fault(f"refused without the line: {message}")
        if self.vault.run("col", "ls").stdout:
            self.fault("refused, and columns are left")
        self.note(f"{reason}: refused")

    def expect(self):
        self.types = self.vault.types("t/")
        if list(self.types) != self.names:
            raise Fault(f"columns {list(self.types)}, want {self.names}")
        columns = []
        for name, typ in self.types.items():
            column = self.texts[name]
            if not typ.endswith(":null"):
                column = column.fill_null("")
            columns.append(typed(column, arrow_type(typ)))
        self.want = pa.table(columns, names=self.names)

    def export(self, ending, *options):
        path = self.folder / f"exported.{ending}"
        self.vault.must("col", "export", "t/", "-o", path, *options)
        return path

    def compare(self, who, got, want=None):
        want = self.want if want is None else want
        if got.column_names != want.column_names:
            return self.fault(f"{who}: columns {got.column_names}, want {want.column_names}")
        for name in want.column_names:
            n, how = different(want[name], got[name])
            self.result["compared"] += len(want[name])
            if n:
                self.fault(f"{who}: {name!r} ({self.types[name]}): {n} differ: {how}", n)

    def parquet(self):
        path = self.export("parquet")
        self.compare("parquet, pyarrow", pa.parquet.read_table(path))
        self.compare("parquet, polars", pl.read_parquet(path).to_arrow())
        got = duckdb.sql(f"FROM read_parquet('{path}')").to_arrow_table()
        if len({name.lower() for name in self.names}) < len(self.names):  # names that differ in case alone are one to it
            got = got.rename_columns(self.names)
        self.compare("parquet, duckdb", got)
        if not pd.read_parquet(path).equals(self.want.to_pandas()):
            self.fault("parquet, pandas: differs from the same table in memory")
        self.result["compared"] += self.result["cells"]

    def arrow(self):
        path = self.export("arrow")
        with pa.OSFile(str(path)) as file:
            self.compare("arrow, pyarrow", pa.ipc.open_file(file).read_all())
        self.compare("arrow, polars", pl.read_ipc(path).to_arrow())

    def csv(self):
        path = self.export("csv", *self.null_is)
        again = texts(path, self.names, self.null)
        columns = []
        for name, typ in self.types.items():
            column = again[name] if typ.endswith(":null") else again[name].fill_null("")
            columns.append(typed(column, arrow_type(typ)))
        self.compare("csv, pyarrow", pa.table(columns, names=self.names))
        if self.want.num_rows == 0:
            return
        schema = {name: pl.from_arrow(self.want[name].slice(0, 0)).dtype for name in self.names}
        got = pl.read_csv(path, schema=schema, null_values=self.null or None).to_arrow()
        self.compare("csv, polars", filled(got), filled(self.want))  # it takes quoted empty fields for null, too
        if len(self.names) > 2000:
            return self.note("more than 2,000 columns: CSV not read with DuckDB")
        columns = ", ".join(f"'c{i}': {quoted(duckdb_type(self.want[name].type))}" for i, name in enumerate(self.names))
        got = duckdb.sql(
            f"""FROM read_csv({quoted(str(path))}, header=true, delim=',', quote='"', escape='"', auto_detect=false, allow_quoted_nulls=false, nullstr={quoted(self.null)},
            max_line_size=20000000, columns={{{columns}}})"""
        ).to_arrow_table().rename_columns(self.names)
        full = [name for name, typ in self.types.items() if typ.startswith("str") and not typ.endswith(":null")]
        self.compare("csv, duckdb", filled(got, full))

    def ndjson(self):
        path = self.export("ndjson")
        rows = [json.loads(line) for line in path.read_bytes().decode().split("\n")[:-1]]
        columns = [from_json([row[name] for row in rows], self.want[name].type) for name in self.names]
        self.compare("ndjson, json", pa.table(columns, names=self.names))
        if not rows:
            return
        schema = {name: pl.from_arrow(self.want[name].slice(0, 0)).dtype for name in self.names}
        floats = [plain(c).fill_null(0).to_numpy(zero_copy_only=False) for c in self.want.columns if pa.types.is_floating(c.type)]
        if any(np.isinf(x).any() or np.isnan(x).any() for x in floats):
            return self.note("infinities or NaN, which JSON does not have: not read with polars")
        if not any(pa.types.is_temporal(self.want[name].type) for name in self.names):
            self.compare("ndjson, polars", pl.read_ndjson(path, schema=schema).to_arrow())

    def pandas(self):
        """What pandas reads from the original by itself, where it takes a column for the same type."""
        got = pd.read_csv(self.path, float_precision="round_trip", keep_default_na=False, na_values=[self.null], low_memory=False)
        for i, name in enumerate(self.names):
            theirs, ours = got.iloc[:, i], self.want[name]
            kind, typ = theirs.dtype.kind, ours.type
            if kind == "i" and pa.types.is_integer(typ) and not ours.null_count or kind == "f" and pa.types.is_floating(typ):
                n, how = different(ours, pa.array(theirs.to_numpy(), typ, from_pandas=True))
            elif kind == "f" and pa.types.is_integer(typ) and ours.null_count:
                n, how = different(ours, pa.array(theirs.to_numpy(), pa.float64(), from_pandas=True).cast(pa.int64()))
            elif pa.types.is_string(typ) and kind == "O":
                texts = pa.array([None if x is None or x != x else x for x in theirs], typ)
                n, how = different(filled(pa.table({"": ours}))[""], texts.fill_null(""))  # it takes quoted empty fields for null, too
            else:
                self.note(f"{self.types[name]} is {theirs.dtype} to pandas")
                continue
            self.result["compared"] += len(ours)
            if n:
                self.fault(f"pandas of the original: {name!r} ({self.types[name]}): {n} differ: {how}", n)


    def others(self):
        """The same data as the other tools write them, each with the types that it finds itself."""
        for tool, ending, convert in CONVERT:
            path = self.folder / f"by-{tool}.{ending}"
            try:
                convert(self.path, path)
            except Exception:
                self.note(f"{tool} cannot make {ending} of it")
                continue
            folder = self.folder / f"{tool}-{ending}"
            folder.mkdir()
            try:
                compared, _, faults = trip(Kvault(self.program, folder / "vault.kv"), path, folder)
            except Fault as e:
                compared, faults = 0, [str(e)]
            self.result["compared"] += compared
            for text in faults:
                self.fault(f"{ending} by {tool}: {text}", 1)


def by_polars(source):
    if b"\n" not in source.read_bytes():
        raise ValueError("lines end in a carriage return alone: all of them are one heading to polars")
    return pl.read_csv(source, infer_schema_length=None, try_parse_dates=True)


CONVERT = (
    ("pandas", "parquet", lambda source, target: pd.read_csv(source, low_memory=False).to_parquet(target)),
    ("polars", "parquet", lambda source, target: by_polars(source).write_parquet(target)),
    ("polars", "arrow", lambda source, target: by_polars(source).write_ipc(target)),
    ("pyarrow", "parquet", lambda source, target: pa.parquet.write_table(pa.csv.read_csv(source), target)),
    ("duckdb", "parquet", lambda source, target: duckdb.sql(f"COPY (FROM read_csv('{source}')) TO '{target}' (FORMAT parquet)")),
)


def filled(table, names=None):
    """The table with empty texts for null ones, in the columns of these names or in all."""
    columns = []
    for name in table.column_names:
        column = plain(table[name])
        if pa.types.is_string(column.type) and (names is None or name in names):
            column = column.fill_null("")
        columns.append(column)
    return pa.table(columns, names=table.column_names)


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def from_json(values, typ):
    """The values of a JSON column, each checked for its JSON type."""
    if pa.types.is_temporal(typ):
        return typed(pa.array(values, pa.string()), typ)
    kinds = {pa.types.is_integer: (int,), pa.types.is_floating: (int, float, str), pa.types.is_boolean: (bool,), pa.types.is_string: (str,)}
    want = next(k for is_it, k in kinds.items() if is_it(typ))
    for x in values:
        if x is not None and type(x) not in want:
            raise Fault(f"{x!r} in JSON, want {typ}")
    if pa.types.is_floating(typ):
        values = [None if x is None else float(x) for x in values]
    return pa.array(values, typ)


def duckdb_type(typ):
    if pa.types.is_timestamp(typ):
        return "TIMESTAMPTZ" if typ.tz else {"s": "TIMESTAMP_S", "ms": "TIMESTAMP_MS", "us": "TIMESTAMP", "ns": "TIMESTAMP_NS"}[typ.unit]
    return {pa.int64(): "BIGINT", pa.float64(): "DOUBLE", pa.string(): "VARCHAR", pa.bool_(): "BOOLEAN", pa.date32(): "DATE"}[typ]


def compare(job):
    program, work, name, data = job
    with tempfile.TemporaryDirectory(dir=work) as folder:
        c = Comparison(program, Path(folder), name, data)
        try:
            c.run()
        except Fault as e:
            c.fault(str(e))
        except Exception:
            c.fault(traceback.format_exc()[-600:])
        return c.result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kvault", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    files = datasets.all_files(args.small)
    jobs = ((args.kvault, args.work, name, read()) for name, read in files if args.only in name)
    with multiprocessing.get_context("forkserver").Pool(args.jobs, os.dup2, (2, 1)) as pool:  # DuckDB prints how far a slow query is
        for result in pool.imap_unordered(compare, jobs):
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
