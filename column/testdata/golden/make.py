"""Write columns of every type with the installed version of KohakuVault, and print what is on disk as JSON.

    python -m venv venv && venv/bin/pip install kohakuvault==0.8.6 numpy
    venv/bin/python make.py > kohakuvault-0.8.6.json

Each column says its dtype, the values as they were given, the values as the package reads them, and the rows of its arrays in
col_meta and col_chunks. Zeros at the end of a chunk are left out; actual_size says how many there were.
"""

import importlib.metadata
import json
import os
import sqlite3
import sys
import tempfile

from kohakuvault import ColumnVault

VERSION = importlib.metadata.version("kohakuvault")
NEW = tuple(int(n) for n in VERSION.split(".")[:2]) >= (0, 7)

TEXT = ["", "abc", "naïve", "a\x00b", "ÿþ", "x" * 20]
WIDE = TEXT + ["😀 smile", "日本"]
PLAIN = ["", "abc", "a\x00b", "~" * 20]
VALUES = [
    None, True, False, 0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1,
    -1, -32, -33, -128, -129, -32768, -32769, -2**31, -2**31 - 1, -2**63, 1.0, 1.5, 0.1, -0.0, 1e300, 65504.0, 1e-7, 3.4028234663852886e38,
    "", "é" * 20, "x" * 40, "y" * 300, [], [1, [2, []]], list(range(20)), {}, {"b": 1, "aa": {"z": None, "yy": [1.5]}},
    {"k" * 40: list(range(300))}, {f"key{i}": i for i in range(20)},
]
SMALL = [v for v in VALUES if len(json.dumps(v)) < 40]

COLUMNS = [("str", WIDE), ("str", WIDE), ("str", WIDE), ("str:utf8", WIDE), ("str:UTF-16LE", WIDE), ("str:utf16be", WIDE), ("str:ascii", PLAIN), ("str:latin1", TEXT)]
COLUMNS += [("str:32", WIDE), ("str:32:utf8", WIDE), ("str:44:utf16le", WIDE), ("str:45:utf16be", WIDE), ("str:20:ascii", PLAIN)]
COLUMNS += [("str:20:latin1", TEXT), ("msgpack", VALUES), ("cbor", VALUES), ("bytes", [b"", b"ab", b"\x00" * 5]), ("bytes:4", [b"", b"ab", b"abcd"])]
COLUMNS += [("i64", [0, -1, 2**63 - 1, -2**63]), ("f64", [0.0, -0.0, 0.1, 1e300])]
if NEW:
    COLUMNS += [("msgpack:64", SMALL), ("cbor:64", SMALL)]
    ELEMENTS = {
        "f32": [0.5, -1.25, 3e38], "f64": [0.1, -1e300, 5e-324], "i8": [1, -128, 127], "i16": [1, -(2**15), 2**15 - 1],
        "i32": [1, -(2**31), 2**31 - 1], "i64": [1, -(2**63), 2**63 - 1], "u8": [0, 1, 255], "u16": [0, 1, 2**16 - 1], "u32": [0, 1, 2**32 - 1],
        "u64": [1, 2**63 - 1, 5],
    }
    for elem, row in ELEMENTS.items():
        COLUMNS.append((f"vec:{elem}:3", [row, row[::-1], [0, 0, 0]]))
        COLUMNS.append((f"vec:{elem}", [row, row[:1], [row, row], [[row], [row]], []]))
    COLUMNS += [("vec:i16:2:3", [[[1, 2, 3], [4, 5, -6]], [[0] * 3] * 2]), ("vector:float32:2", [[1, 2], [3, 4]])]


def plain(value):
    """Make a value one of JSON."""
    if isinstance(value, bytes):
        return value.hex()
    return value.tolist() if hasattr(value, "tolist") else value


def arrays(db, name):
    """The arrays of a column, with their chunks."""
    rows = db.execute(
        "SELECT col_id, name, dtype, elem_size, length, min_chunk_bytes, max_chunk_bytes FROM col_meta"
        " WHERE name IN (?, ? || '_data', ? || '_idx') ORDER BY col_id", (name, name, name)).fetchall()
    for row in rows:
        info = dict(zip(("id", "name", "dtype", "elem_size", "length", "min", "max"), row))
        known = [c[1] for c in db.execute("PRAGMA table_info(col_chunks)")]
        used = "bytes_used" if "bytes_used" in known else "0"
        info["chunks"] = [
            {"idx": idx, "size": size, "used": used, "data": bytes(data).rstrip(b"\x00").hex()}
            for idx, size, used, data in db.execute(
                f"SELECT chunk_idx, actual_size, {used}, CAST(data AS BLOB) FROM col_chunks WHERE col_id = ? ORDER BY chunk_idx", (info.pop("id"),))]
        yield info


def main():
    made = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "v.db")
        vault = ColumnVault(path, min_chunk_bytes=128, max_chunk_bytes=1024)
        for number, (dtype, values) in enumerate(COLUMNS):
            column = vault.create_column(f"c{number}", dtype)
            one_by_one = {0: 0, 1: 1}.get(number, len(values))
            for value in values[:one_by_one]:
                column.append(value)
            column.extend(values[one_by_one:])  # in a chunk of its own, whatever room there is; the first is number 1 then, not 0
            read = [plain(column[i]) for i in range(len(values))]
            made.append({"name": f"c{number}", "dtype": dtype, "given": [plain(v) for v in values], "read": read})
        db = sqlite3.connect(path)
        for column in made:
            column["arrays"] = list(arrays(db, column["name"]))
        db.close()
        del vault
    json.dump({"version": VERSION, "columns": made}, sys.stdout, indent=None, separators=(",", ":"), ensure_ascii=True)
    print()


main()
