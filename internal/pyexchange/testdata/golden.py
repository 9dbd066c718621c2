"""Makes one golden file with one version of the package, and tells what is in it. Usage: golden.py FILE"""

import base64
import gc
import hashlib
import json
import os
import struct
import sys
from importlib.metadata import version

import kohakuvault

path = sys.argv[1]
release = version("kohakuvault")
earlier = release.startswith(("0.2", "0.3"))
typed = hasattr(kohakuvault.KVault, "enable_auto_pack")
blocks = not release.startswith("0.")
told = {"version": release, "tables": {}, "columns": {}}


def b64(b):
    return base64.b64encode(b).decode()


def value(i, n):
    return (hashlib.sha256(b"%d" % i).digest() * (n // 32 + 1))[:n]


for table in ("kv", "kvault"):
    vault = kohakuvault.KVault(path, table=table, page_size=1024)
    rows = {
        b"empty": b"",
        b"\x00": b"\x00",
        b"\xff": b"one",
        b"\xff\xff": b"two",
        b"\xff\xff\xff": b"three",
        b"\xc3\x28": value(1, 100),
        "ключ".encode(): "значение".encode(),
        b"page": value(2, 1000),
        b"pages": value(3, 3000),
        b"magic": b"\x89K" + value(4, 30),
        b"header": b"\x89K\x01\x06\x00\x00\x00\x00VKtext",
        b"replaced": b"new",
    }
    vault.put(b"replaced", b"old and longer")
    vault.put(b"gone", b"soon")
    vault.delete(b"gone")
    for key, stored in rows.items():
        vault.put(key, stored)
    if typed:  # what is stored for these is for the tests of typed values to tell
        for key, thing in {"text": "grüße", "number": 42, "half": 0.5, "map": {"a": [1, 2]}}.items():
            vault.put(("typed/" + key).encode(), thing)
    told["tables"][table] = {b64(k): b64(v) for k, v in rows.items()}
    if hasattr(vault, "close"):
        vault.close()
    del vault

vault = kohakuvault.KVault(path, page_size=1024)
columns = kohakuvault.ColumnVault(vault, min_chunk_bytes=60, max_chunk_bytes=240)


def column(name, dtype, items, pack, change):
    c = columns.create_column(name, dtype)
    c.extend(items[: len(items) // 2])
    for x in items[len(items) // 2 :]:
        c.append(x)
    items = list(items)
    change(c, items)
    told["columns"][name] = {"type": dtype, "items": [b64(pack(x)) for x in items]}


def fixed(c, items):
    c[3] = items[3] = items[0]
    del c[7]  # before the insert: 0.2 makes no room for that
    del items[7]
    c.insert(5, items[1])
    items.insert(5, items[1])


def variable(c, items):
    if earlier:
        return
    c[3] = items[3] = items[3] + items[3]
    c[4] = items[4] = items[4][:0]
    del c[7]
    del items[7]


column("numbers", "i64", [i * i * (-1) ** i for i in range(75)], lambda x: struct.pack("<q", x), fixed)
column("measures", "f64", [i / 3 for i in range(20)], lambda x: struct.pack("<d", x), fixed)
column("fives", "bytes:5", [value(i, 5) for i in range(30)], bytes, fixed)
column("blobs", "bytes", [value(i, i * 7 % 90) for i in range(40)], bytes, variable)
if not earlier:
    column("texts", "str:utf8", ["ä" * (i % 9) for i in range(40)], str.encode, variable)
columns.create_column("none", "i64")
told["columns"]["none"] = {"type": "i64", "items": []}
c = columns.create_column("cleared", "bytes")
c.extend([b"a", b"b"])
c.clear()
told["columns"]["cleared"] = {"type": "bytes", "items": []}
del c

if hasattr(kohakuvault, "TextVault"):
    text = kohakuvault.TextVault(path, table="notes", columns=["title", "body"])
    text.insert({"title": "first", "body": "water the plants"}, b"value one")
    text.insert({"title": "second", "body": "feed the cat"}, {"n": 2})
    vectors = kohakuvault.VectorKVault(path, table="points", dimensions=3)
    vectors.insert([1.0, 0.0, 0.0], b"east")
    vectors.insert([0.0, 1.0, 0.0], b"north")
    del text, vectors

for thing in (columns, vault):
    if hasattr(thing, "close"):
        thing.close()
del columns, vault, thing
gc.collect()

# One file without a log, as small as it can be; by SQLite, which the package is not asked to be.
import sqlite3

db = sqlite3.connect(path)
db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
db.close()
for end in ("-wal", "-shm"):
    if os.path.exists(path + end):
        os.remove(path + end)
with open(os.path.splitext(path)[0] + ".json", "w") as f:
    json.dump(told, f, indent=1, sort_keys=True, ensure_ascii=False)
    f.write("\n")
