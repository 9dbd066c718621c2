"""The Python package diskcache, as a store that forgets nothing."""

import shutil
from importlib.metadata import version

from diskcache import Cache

import contract


class Store:
    def __init__(self, p):
        if p.full:
            raise contract.Unsupported("a sync for each value")  # it keeps larger values in files, which it does not sync
        self.cache = Cache(p.dir, eviction_policy="none", size_limit=1 << 50)
        self.get, self.put = self.cache.__getitem__, self.cache.__setitem__
        self.batch, self.close = self.cache.transact, self.cache.close

    def listing(self):
        return self.cache.iterkeys()

    def put_stream(self, key, file):
        self.cache.set(key, file, read=True)

    def get_stream(self, key, file):
        with self.cache.read(key) as f:
            shutil.copyfileobj(f, file, 1 << 20)


contract.main(version("diskcache"), Store)
