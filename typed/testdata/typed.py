"""Typed values as the Python package KohakuVault writes and reads them. Needs kohakuvault and numpy.

    python typed.py golden > golden.json         what the package stores for values of all kinds, and reads back
    python typed.py write FILE SEED COUNT        stores random values, and prints them
    python typed.py read FILE                    prints all values of a vault whose table is kvault

Values are printed as JSON objects: {"t": type, "v": value}.
"""
import json
import math
import os
import random
import sqlite3
import struct
import sys
import tempfile

import numpy as np
from kohakuvault import Cbor, Json, KVault, MsgPack, Pickle

DTYPES = {"f32": "float32", "f64": "float64", "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
          "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64"}
NAMES = {v: k for k, v in DTYPES.items()}


def tagged(v):
    if v is None:
        return {"t": "none"}
    if isinstance(v, np.ndarray):
        return {"t": "vec", "of": NAMES[v.dtype.name], "shape": list(v.shape), "v": [tagged(x)["v"] for x in v.ravel().tolist()]}
    if isinstance(v, bool):
        return {"t": "bool", "v": v}
    if isinstance(v, int):
        return {"t": "int", "v": str(v)}
    if isinstance(v, float):
        return {"t": "float", "v": "nan" if math.isnan(v) else struct.pack(">d", v).hex()}
    if isinstance(v, str):
        return {"t": "str", "v": v}
    if isinstance(v, (bytes, bytearray)):
        return {"t": "bytes", "v": bytes(v).hex()}
    if isinstance(v, (list, tuple)):
        return {"t": "list", "v": [tagged(x) for x in v]}
    if isinstance(v, dict):
        return {"t": "map", "v": {k: tagged(x) for k, x in v.items()}}
    raise TypeError(type(v))


class Unread:
    """The package cannot read back what it stored."""


def table_of(path):
    db = sqlite3.connect(path)
    try:
        return db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('kv', 'kvault')").fetchone()[0]
    finally:
        db.close()


def stored(path):
    """The bytes of all values. Only once the package has closed the file: closing another handle would drop its locks."""
    db = sqlite3.connect(path)
    try:
        return {k.decode(): bytes(v) for k, v in db.execute("SELECT key, value FROM " + table_of(path))}
    finally:
        db.close()


def golden():
    tree = {"text": "h\u00e9llo \u4e16\u754c", "list": [1, -1, 255, 256, -129, 65536, 2**31, -(2**31) - 1, 2**63 - 1, 2**64 - 1],
            "float": 1.5, "small": 5e-324, "none": None, "true": True, "false": False, "empty": [{}, [], ""],
            "long": "x" * 300, "many": list(range(70)), "keys": {str(i): i for i in range(40)}}
    deep = []
    for _ in range(100):
        deep = [deep]
    exact = {
        "bytes": b"raw", "bytes empty": b"", "bytes magic short": b"\x89K", "bytes png": b"\x89PNG\r\n\x1a\n1234",
        "int 0": 0, "int 5": 5, "int -1": -1, "int 1e12-1": 10**12 - 1, "int -1e12+1": 1 - 10**12,
        "float 1.5": 1.5, "float 3.0": 3.0, "float 1e-10": 1e-10, "float 1e300": 1e300, "float -2.25": -2.25,
        "float nan": math.nan, "float inf": math.inf, "float -inf": -math.inf,
        "str": "h\u00e9llo", "str empty": "", "str nul": "a\0b", "str long": "\u4e16" * 1000,
        "dict": tree, "list": [1, "two", [3.0]], "deep": deep, "dict empty": {},
        "vec f32": np.array([1, 2, 3], "float32"), "vec f64 2d": np.arange(6, dtype="float64").reshape(2, 3),
        "vec i64 3d": np.arange(24, dtype="int64").reshape(2, 3, 4), "vec u8": np.arange(100, dtype="uint8"),
        "vec i8": np.array([-1, 2, 3], "int8"), "vec u16": np.array([65535, 1], "uint16"), "vec i16": np.array([-5, 1], "int16"),
        "vec u32": np.array([2**32 - 1], "uint32"), "vec i32": np.array([-(2**31)], "int32"), "vec u64": np.array([2**64 - 1], "uint64"),
        "vec f16-like": np.array([0.5, math.inf, math.nan], "float32"), "vec empty 2d": np.zeros((0, 3), "float32"),
        "vec fortran": np.asfortranarray(np.arange(6, dtype="int32").reshape(2, 3)),
        "msgpack": MsgPack(tree), "msgpack int": MsgPack(5), "msgpack str": MsgPack("s"), "msgpack none": MsgPack(None),
        "json": Json(tree), "json inf": Json([math.inf, -math.inf, "Infinity NaN \\\" NaN", 1e400]), "json nan": Json({"NaN": math.nan}),
        "json big": Json([2**70, -(2**70), 2**64 - 1]), "json int": Json(5), "json str": Json("s"),
        "cbor": Cbor(tree), "cbor int": Cbor(-5), "cbor float": Cbor(1.5), "cbor str": Cbor("s"),
    }
    # What the package itself reads back as something else, or not at all.
    lossy = {
        "int 1e12": 10**12, "int 1e15": 10**15, "int -1e15": -(10**15), "int ns": 1764155512123456789, "int max": 2**63 - 1,
        "int min": -(2**63), "uint 2**63": 2**63, "bool": True, "none": None, "tuple": (1, 2), "dict int keys": {1: 2},
        "list of bytes": [b"x"], "float 0.0": 0.0, "float -0.0": -0.0, "float 5e-324": 5e-324, "float 1e-70": 1e-70,
        "dict nan": {"x": math.nan}, "vec u8 short": np.array([1, 2], "uint8"), "vec empty": np.array([], "float32"),
        "numpy float64": np.float64(2.5), "numpy float32": np.float32(2.5), "numpy int64": np.int64(7),
        "vec bool": np.array([True, False]), "vec f16": np.array([1, 2], "float16"),
        "bytes magic": b"\x89K" + b"x" * 20, "bytes magic header": b"\x89K\x01\x04\0\0\0\0VK\xc1", "pickle": Pickle({"a": 1}),
    }
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "golden.db")
        v = KVault(path)
        reads = {}
        for name, value in {**exact, **lossy}.items():
            v[name] = value
            try:
                reads[name] = v[name]
            except Exception as err:  # whatever it is, the package cannot read what it stored
                reads[name] = Unread()
        v.close()
        raw = stored(path)
    out = []
    for name in {**exact, **lossy}:
        line = {"name": name, "stored": raw[name].hex(), "exact": name in exact}
        try:
            line["reads"] = tagged(reads[name])
        except (TypeError, KeyError):
            pass
        out.append(json.dumps(line))
    print("[\n" + ",\n".join(out) + "\n]")


def text(r):
    return "".join(chr(r.choice([r.randrange(32, 127), r.randrange(0xA0, 0xD800), r.randrange(0xE000, 0x110000), 0])) for _ in range(r.randrange(20)))


def integer(r):
    return r.choice([-1, 1]) * r.getrandbits(r.randrange(1, 63))


def floating(r):
    return r.choice([r.uniform(-1, 1), r.uniform(-1e6, 1e6), float(r.randrange(1, 1000)), r.uniform(1, 10) * 10.0 ** r.randrange(-50, 50)])


def tree(r, depth):
    kind = r.randrange(8 if depth < 5 else 6)
    if kind == 6:
        return [tree(r, depth + 1) for _ in range(r.randrange(6))]
    if kind == 7:
        return {text(r): tree(r, depth + 1) for _ in range(r.randrange(6))}
    return [None, r.random() < 0.5, integer(r), floating(r), text(r), r.getrandbits(64)][kind]


def vector(r):
    dtype = r.choice(list(NAMES))
    shape = [r.randrange(3, 6) for _ in range(r.randrange(1, 4))]
    n = math.prod(shape)
    if dtype.startswith("float"):
        return np.array([floating(r) for _ in range(n)]).astype(dtype).reshape(shape)
    limits = np.iinfo(dtype)
    most = min(int(limits.max), 2**63 - 1)  # the package rounds what has numbers on both sides of it
    return np.array([r.randint(int(limits.min), most) for _ in range(n)], dtype).reshape(shape)


def write(path, seed, count):
    r = random.Random(int(seed))
    v = KVault(path)
    for i in range(int(count)):
        value = r.choice([lambda: r.randbytes(r.randrange(50)), lambda: text(r), lambda: integer(r), lambda: floating(r), lambda: vector(r),
                          lambda: {text(r): tree(r, 1)}, lambda: [tree(r, 1)], lambda: Json(tree(r, 0)), lambda: Cbor(tree(r, 0)),
                          lambda: MsgPack(tree(r, 0)), lambda: Pickle({"i": i})])()
        key = "k%06d" % i
        v[key] = value
        if isinstance(value, Pickle):
            print(json.dumps({"key": key, "value": {"t": "pickle"}}))
        else:
            print(json.dumps({"key": key, "value": tagged(getattr(value, "data", value) if not isinstance(value, np.ndarray) else value)}))
    v.close()


def read(path):
    v = KVault(path, table="kvault")
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    keys = [bytes(k).decode() for (k,) in db.execute("SELECT key FROM kvault ORDER BY key")]
    for key in keys:
        try:
            value = tagged(v[key])
        except Exception as err:
            value = {"t": "error", "v": "%s: %s" % (type(err).__name__, err)}
        print(json.dumps({"key": key, "value": value}))
    v.close()
    db.close()


if __name__ == "__main__":
    {"golden": golden, "write": write, "read": read}[sys.argv[1]](*sys.argv[2:])
