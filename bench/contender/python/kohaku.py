"""The Python package KohakuVault, with the defaults of its constructors."""

import os
from contextlib import contextmanager
from importlib.metadata import version

from kohakuvault import ColumnVault, KVault
from kohakuvault.errors import KohakuVaultError

import contract


TOO_BIG = "values above 1,000,000,000 bytes (the limit of SQLite for a row)"


class Store:
    def __init__(self, p):
        if p.full:
            raise contract.Unsupported("a sync for each commit")
        self.vault = KVault(os.path.join(p.dir, "kohaku.db"))
        self.get, self.put = self.vault.__getitem__, self.vault.__setitem__
        self.cached = p.via == "cached" and not p.fill
        if self.cached:
            self.vault.enable_cache()

    def flush(self):
        if self.cached:
            self.vault.flush_cache()

    @contextmanager
    def batch(self):
        if self.cached:
            yield
        else:
            with self.vault.cache():
                yield

    def listing(self):
        return self.vault.keys(limit=1 << 40)

    def put_stream(self, key, file):
        try:
            self.vault.put_file(key, file)
        except KohakuVaultError as error:
            if "too big" in str(error):
                raise contract.Unsupported(TOO_BIG) from error
            if version("kohakuvault") == "0.2.2" and "readonly" in str(error):
                raise contract.Unsupported("put_file, which fails in this version") from error
            raise

    def fill_stream(self, key, file):
        try:
            self.vault[key] = file.read()
        except KohakuVaultError as error:
            if "too big" in str(error):
                raise contract.Unsupported(TOO_BIG) from error
            raise

    def get_stream(self, key, file):
        self.vault.get_to_file(key, file)

    def close(self):
        self.vault.close()


class Numbers:
    def __init__(self, p):
        if p.full:
            raise contract.Unsupported("a sync for each commit")
        self.columns = ColumnVault(os.path.join(p.dir, "kohaku.db"))
        self.column = self.columns.ensure("numbers", "i64")

    def extend(self, x):
        if len(x) == 1:
            self.column.append(x[0])
        else:
            self.column.extend(x)

    def scan(self):
        return iter(self.column)

    def at(self, i):
        return self.column[i]

    def close(self):
        pass


def open_store(p):
    return Numbers(p) if p.workload in ("extend", "append", "scan", "element") else Store(p)


contract.main(version("kohakuvault"), open_store)
