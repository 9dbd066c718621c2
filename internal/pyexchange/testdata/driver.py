"""Drives the Python package kohakuvault for the tests of this folder.

One request a line on standard input, one answer a line on standard output, both JSON. Bytes are base64. Elements of columns
are told as the bytes that the file holds for them.
"""

import base64
import gc
import hashlib
import json
import struct
import sys
import time

import kohakuvault


def b64(b):
    return base64.b64encode(bytes(b)).decode()


def raw(s):
    return base64.b64decode(s)


class Codec:
    """Turns the encoded elements of the requests into values of the package, and back."""

    def __init__(self, dtype):
        self.form = {"i64": "<q", "f64": "<d"}.get(dtype.split(":")[0])
        self.text = dtype.startswith("str")

    def value(self, s):
        b = raw(s)
        if self.form:
            return struct.unpack(self.form, b)[0]
        return b.decode() if self.text else b

    def told(self, x):
        if self.form:
            return b64(struct.pack(self.form, x))
        return b64(x.encode() if self.text else x)


class Driver:
    def __init__(self):
        self.vault = None
        self.columns = None

    def open(self, path, table=None, page_size=32768, auto=False):
        args = {} if table is None else {"table": table}
        self.vault = kohakuvault.KVault(path, page_size=page_size, **args)
        if not auto and hasattr(self.vault, "disable_auto_pack"):
            self.vault.disable_auto_pack()

    def close(self):
        for thing in (self.columns, self.vault):
            if hasattr(thing, "close"):
                thing.close()
        self.columns = self.vault = None
        gc.collect()  # older versions close the file only then

    # Keys and values.

    def put(self, key, value):
        self.vault.put(raw(key), raw(value))

    def put_file(self, key, path):
        with open(path, "rb") as f:
            self.vault.put_file(raw(key), f)

    def get(self, key):
        value = self.vault.get(raw(key))
        if value is None:
            return None
        if not isinstance(value, bytes):
            raise TypeError("decoded as " + repr(value))
        return b64(value)

    def get_file(self, key, path):
        with open(path, "wb") as f:
            return self.vault.get_to_file(raw(key), f)

    def delete(self, key):
        return self.vault.delete(raw(key))

    def clear(self):
        self.vault.clear()

    def optimize(self):
        self.vault.optimize()

    def keys(self, prefix=None):
        return [b64(k) for k in self.vault.keys(prefix=None if prefix is None else raw(prefix))]

    def dump(self):
        """All keys with the SHA-256 of their values, and what len() says."""
        rows = {}
        for key in self.vault.keys(limit=1 << 30):
            rows[b64(key)] = hashlib.sha256(self.vault.get(key)).hexdigest()
        return {"len": len(self.vault), "rows": rows}

    # Columns.

    def _columns(self, least=128 << 10, most=16 << 20):
        if self.columns is None:
            self.columns = kohakuvault.ColumnVault(self.vault, min_chunk_bytes=least, max_chunk_bytes=most)
        return self.columns

    def create(self, name, dtype, least, most):
        self.columns = None  # the bounds are the whole vault's
        self._columns(least, most).create_column(name, dtype)
        self.columns = None

    def list(self):
        return [list(c) for c in self._columns().list_columns()]

    def drop(self, name):
        return self._columns().delete_column(name)

    def extend(self, name, dtype, items):
        self._columns()[name].extend([Codec(dtype).value(x) for x in items])

    def append(self, name, dtype, item):
        self._columns()[name].append(Codec(dtype).value(item))

    def set(self, name, dtype, i, item):
        self._columns()[name][i] = Codec(dtype).value(item)

    def insert(self, name, dtype, i, item):
        self._columns()[name].insert(i, Codec(dtype).value(item))

    def remove(self, name, i):
        del self._columns()[name][i]

    def clear_column(self, name):
        self._columns()[name].clear()

    def column(self, name, dtype):
        """All elements, read one by one and as a loop reads them."""
        column, codec = self._columns()[name], Codec(dtype)
        one_by_one = [codec.told(column[i]) for i in range(len(column))]
        looped = [codec.told(x) for x in column]
        if looped != one_by_one:
            raise AssertionError("a loop reads other elements than an index")
        return looped

    def reopen_columns(self):
        """Forgets the handles, which remember the lengths."""
        self.columns = None
        gc.collect()

    # Loads that run beside another process.

    def load(self, name, n, size, column, shared):
        """Puts n values and appends n numbers, and looks at each at once."""
        numbers = self._columns()[column]
        for i in range(n):
            key = b"%s/%06d" % (name.encode(), i)
            self._patient(lambda: self.vault.put(key, bytes([i % 251]) * size))
            if self._patient(lambda: self.vault.get(key)) != bytes([i % 251]) * size:
                raise AssertionError("%r is not what was put" % key)
            if i % 7 == 6:
                gone = b"%s/%06d" % (name.encode(), i - 3)
                if not self._patient(lambda: self.vault.delete(gone)):
                    raise AssertionError("%r was not there to delete" % gone)
            self._patient(lambda: self.vault.put(shared.encode(), bytes([i % 251]) * size))
            self._patient(lambda: numbers.append(i))
        return n

    def watch(self, name, n, size, shared, seconds):
        """Reads what another process puts, until its last key is there."""
        end, seen = time.time() + seconds, 0
        while time.time() < end:
            value = self._patient(lambda: self.vault.get(shared.encode()))
            if value is not None and (len(value) != size or value != value[:1] * size):
                raise AssertionError("a value that nobody put whole")
            seen += value is not None
            if self._patient(lambda: self.vault.exists(b"%s/%06d" % (name.encode(), n - 1))):
                return seen
        raise AssertionError("the other's last key never came")

    def _patient(self, call):
        """The package waits 5 seconds for a lock, and tries four times."""
        try:
            return call()
        except kohakuvault.DatabaseBusy:
            return call()


def main():
    driver = Driver()
    for line in sys.stdin:
        request = json.loads(line)
        op = request.pop("op")
        try:
            answer = {"ok": getattr(driver, op)(**request)}
        except BaseException as ex:  # a panic of the package's Rust code is a BaseException
            answer = {"error": "%s: %s" % (type(ex).__name__, ex)}
        print(json.dumps(answer), flush=True)


main()
