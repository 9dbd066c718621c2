"""The contract of internal/contract for contenders in Python, and the workloads over a store of theirs.

A store has put(key, value) and get(key) and may have batch(), a context in which puts are one transaction; listing(); put_stream(key, file)
and get_stream(key, file), and fill_stream(key, file) where put_stream does not do to fill a store; extend(list), scan(), at(index).
"""

import json
import os
import resource
import sys
import threading
import time
from contextlib import nullcontext

MASK = (1 << 64) - 1
POOL_BYTES = 8 << 20
BLOCK = POOL_BYTES // 8
DEFAULTS = {"via": "", "path": "", "seed": 0, "keys": 0, "warm": 0, "ops": 0, "size": 0, "batch": 1, "workers": 1, "fill": False, "full": False}


class Unsupported(Exception):
    pass


class Params:
    def __init__(self, argv):
        self.__dict__.update(DEFAULTS)
        args = iter(argv)
        for arg in args:
            name, _, value = arg.lstrip("-").partition("=")
            if value:
                setattr(self, name, value == "true")
                continue
            value = next(args)
            setattr(self, name, int(value) if isinstance(DEFAULTS.get(name), int) else value)
        with open(self.pool, "rb") as f:
            self.bytes = f.read()

    def mix(self, x):
        x = (x + 0x9E3779B97F4A7C15) & MASK
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
        x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
        return x ^ x >> 31

    def key(self, i):
        return b"k/%016x" % self.mix(self.seed + i & MASK)

    def value(self, i):
        at = i * 1299709 % (POOL_BYTES - self.size + 1)
        return self.bytes[at : at + self.size]

    def pick(self, op, n):
        return self.mix((self.seed ^ 0x5EED) + op & MASK) % n

    def elements(self):
        return memoryview(self.bytes).cast("q").tolist()


def fold(i, v):
    total = len(v) * 257 + sum(v[::4096])
    if v:
        total += v[-1] * 65537
    return total * (2 * i + 1)


class Folder:
    """A file that folds, and compares if it is given the pool."""

    def __init__(self, pool=None):
        self.n = self.sum = 0
        self.pool = pool

    def write(self, p):
        self.sum += sum(p[-self.n % 65536 :: 65536])
        if self.pool:
            for at in range(0, len(p), 1 << 16):
                part = bytes(p[at : at + (1 << 16)])
                start = (self.n + at) % POOL_BYTES
                want = self.pool[start : start + len(part)]
                if part[: len(want)] != want or part[len(want) :] != self.pool[: len(part) - len(want)]:
                    raise ValueError("the stream differs near byte %d" % (self.n + at))
        self.n += len(p)
        return len(p)

    def total(self):
        return self.sum + 257 * self.n


class Ring:
    """A file that gives the pool again and again."""

    def __init__(self, pool, size):
        self.pool, self.size, self.at = pool, size, 0

    def read(self, n=-1):
        left = self.size - self.at
        n = left if n < 0 else min(n, left)
        parts = []
        while n > 0:
            start = self.at % POOL_BYTES
            part = self.pool[start : start + n]
            parts.append(part)
            self.at += len(part)
            n -= len(part)
        return b"".join(parts)


class Run:
    def __init__(self, p, store):
        self.p, self.store, self.checksum = p, store, 0
        self.result = {}

    def measure(self, work, ops, size):
        before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter_ns()
        work()
        elapsed, after = time.perf_counter_ns() - start, resource.getrusage(resource.RUSAGE_SELF)
        with open("/proc/self/status") as f:
            peak = next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM:"))
        self.result = {
            "elapsed_ns": elapsed,
            "user_ns": int((after.ru_utime - before.ru_utime) * 1e9),
            "sys_ns": int((after.ru_stime - before.ru_stime) * 1e9),
            "ops": ops,
            "bytes": size,
            "peak_bytes": peak,
        }

    def each(self, fn):
        p = self.p
        if p.workers == 1:
            for op in range(0, p.ops, p.batch):
                fn(op)
            return
        errors = []

        def work(number):
            try:
                for op in range(number * p.batch, p.ops, p.workers * p.batch):
                    fn(op)
            except BaseException as error:  # handed to the main thread
                errors.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(p.workers)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        if errors:
            raise errors[0]

    def need(self, *names):
        for name in names:
            if not hasattr(self.store, name):
                raise Unsupported(name)

    def target(self, op):
        return self.p.pick(op, self.p.keys) if self.p.workload == "replace" and not self.p.fill else op

    def check(self, i):
        value = bytes(self.store.get(self.p.key(i)))
        if value != self.p.value(i):
            raise ValueError("value %d reads back different" % i)
        return value

    def samples(self, n):
        return range(0, n, max(n // 256, 1))

    def put(self):
        p = self.p
        if p.batch > 1:
            self.need("batch")

        def write(op):
            with self.store.batch() if p.batch > 1 else nullcontext():
                for o in range(op, min(op + p.batch, p.ops)):
                    i = self.target(o)
                    self.store.put(p.key(i), p.value(i))

        self.measure(lambda: (self.each(write), self.flush()), p.ops, p.ops * p.size)
        for op in self.samples(p.ops):
            self.checksum += fold(self.target(op), self.check(self.target(op)))

    def flush(self):
        if hasattr(self.store, "flush"):
            self.store.flush()

    def fill(self):
        p = self.p
        if p.workload in ("scan", "element"):
            p.ops, p.batch = p.keys, BLOCK
            return self.extend()
        if p.workload == "streamout":
            self.need("get_stream")
            return getattr(self.store, "fill_stream", self.store.put_stream)(b"stream", Ring(p.bytes, p.size))
        p.ops, p.workers = p.keys, 1
        p.batch = max(min(1000, (8 << 20) // max(p.size, 1)), 1) if hasattr(self.store, "batch") else 1
        return self.put()

    def get(self):
        p, lock = self.p, threading.Lock()
        if p.batch > 1:
            raise Unsupported("several reads in a transaction")

        def read(op):
            i = p.pick(op, p.keys)
            if p.workload == "mixed" and op % 10 == 0:
                self.store.put(p.key(i), p.value(i))
                return
            part = fold(i, self.store.get(p.key(i)))
            with lock:
                self.checksum += part

        for op in range(-p.warm, 0):
            read(op)
        self.checksum = 0
        self.measure(lambda: (self.each(read), self.flush()), p.ops, p.ops * p.size)
        for op in self.samples(p.ops):
            self.check(p.pick(op, p.keys))

    def list(self):
        self.need("listing")

        def work():
            for _ in range(max(self.p.ops // self.p.keys, 1)):
                for key in self.store.listing():
                    self.checksum = self.checksum * 31 + len(key) + key[-1] & MASK

        self.measure(work, self.p.keys, 18 * self.p.keys)

    def tree(self):
        p, names = self.p, []
        for folder, folders, found in os.walk(p.path):
            folders.sort()
            paths = [os.path.join(folder, name) for name in sorted(found)]
            names += [path for path in paths if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path)]
        self.need("batch")

        def read(path):
            with open(path, "rb") as f:
                return f.read()

        def key(path):
            return os.path.relpath(path, p.path).encode()

        def work():
            for at in range(0, len(names), p.batch):
                with self.store.batch():
                    for path in names[at : at + p.batch]:
                        self.store.put(key(path), read(path))
            self.flush()

        self.measure(work, len(names), 0)
        for path in names:
            value = read(path)
            if bytes(self.store.get(key(path))) != value:
                raise ValueError("%s reads back different" % path)
            self.checksum += fold(0, value)
            self.result["bytes"] += len(value)

    def stream_in(self):
        self.need("put_stream")
        with open(self.p.path, "rb") as f:
            self.measure(lambda: self.store.put_stream(b"stream", f), 1, self.p.size)
        out = Folder(self.p.bytes)
        self.store.get_stream(b"stream", out)
        self.checksum = out.total()

    def stream_out(self):
        self.need("get_stream")
        out = Folder()
        self.measure(lambda: self.store.get_stream(b"stream", out), 1, self.p.size)
        self.checksum = out.total()
        self.store.get_stream(b"stream", Folder(self.p.bytes))

    def extend(self):
        self.need("extend")
        p, x = self.p, self.p.elements()

        def work():
            at = 0
            while at < p.ops:
                start = at % BLOCK
                n = min(p.batch, BLOCK - start, p.ops - at)
                self.store.extend(x[start : start + n])
                at += n
            self.flush()

        self.measure(work, p.ops, 8 * p.ops)
        self.checksum = sum(self.store.scan())

    def scan(self):
        self.need("scan")

        def work():
            self.checksum = sum(self.store.scan())

        self.measure(work, self.p.keys, 8 * self.p.keys)

    def element(self):
        self.need("at")
        p = self.p

        def work():
            for op in range(p.ops):
                self.checksum += self.store.at(p.pick(op, p.keys))

        for op in range(-p.warm, 0):
            self.store.at(p.pick(op, p.keys))
        self.measure(work, p.ops, 8 * p.ops)


WORKLOADS = {"put": Run.put, "replace": Run.put, "get": Run.get, "mixed": Run.get, "list": Run.list, "tree": Run.tree, "streamin": Run.stream_in,
             "streamout": Run.stream_out, "extend": Run.extend, "append": Run.extend, "scan": Run.scan, "element": Run.element}


def main(version, open_store):
    try:
        p = Params(sys.argv[1:])
        if p.workload not in WORKLOADS:
            raise Unsupported(p.workload)
        run = Run(p, open_store(p))
        run.fill() if p.fill else WORKLOADS[p.workload](run)
        start = time.perf_counter_ns()
        run.store.close()
        run.result["close_ns"] = time.perf_counter_ns() - start
        run.result["checksum"] = "%016x" % (run.checksum & MASK)
    except Unsupported as error:
        run = None
        result = {"unsupported": "%s: not offered by this contender" % error}
    except Exception as error:
        print(json.dumps({"error": "%s: %s" % (type(error).__name__, error)}))
        sys.exit(1)
    else:
        result = run.result
    result["version"] = version
    print(json.dumps(result))
    sys.stdout.flush()
    os._exit(0)  # what is left in memory is not worth the time to free
