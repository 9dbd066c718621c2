"""Values of tables as Arrow arrays, compared one by one."""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ARROW = {
    "i64": pa.int64(),
    "f64": pa.float64(),
    "str": pa.string(),
    "str:utf8": pa.string(),
    "bytes": pa.binary(),
    "bytes:1:bool": pa.bool_(),
    "i64:date": pa.date32(),
    **{f"i64:timestamp:{u}": pa.timestamp(u) for u in ("s", "ms", "us", "ns")},
    **{f"i64:timestamp:{u}:utc": pa.timestamp(u, tz="UTC") for u in ("s", "ms", "us", "ns")},
}


def arrow_type(typ):
    return ARROW[typ.removesuffix(":null")]


def moment(text, typ):
    """A timestamp as the number of its unit since 1970, without rounding."""
    body = text.rstrip("Z")
    if len(body) > 6 and body[-6] in "+-" and body[-3] == ":":
        raise ValueError(f"{text} has an offset")
    return int(np.datetime64(body.replace(" ", "T"), typ.unit).astype("int64"))


def typed(texts, typ):
    """The Arrow array of a column's texts, an array of strings with nulls, as Python reads each of them."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if pa.types.is_string(typ):
        return texts
    values = texts.to_pylist()
    if pa.types.is_integer(typ):
        parse = int
    elif pa.types.is_floating(typ):
        parse = float
    elif pa.types.is_boolean(typ):
        parse = lambda x: {"true": True, "false": False}[x.lower()]
    elif pa.types.is_date(typ):
        parse = datetime.date.fromisoformat
    elif pa.types.is_timestamp(typ):
        return pa.array([None if x is None else moment(x, typ) for x in values], pa.int64()).cast(typ)
    else:
        raise ValueError(f"no reading of {typ}")
    return pa.array([None if x is None else parse(x) for x in values], typ)


def plain(array):
    """The array as one chunk, without dictionary, run ends, view, 64-bit offsets or a zone of its own."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # of no chunk at all
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    t = array.type
    if pa.types.is_run_end_encoded(t):
        return plain(pc.run_end_decode(array))
    if pa.types.is_dictionary(t):
        return plain(plain(array.dictionary).take(array.indices))  # pyarrow decodes no dictionary of views
    if pa.types.is_large_string(t) or pa.types.is_string_view(t):
        return array.cast(pa.string())
    if pa.types.is_timestamp(t) and t.tz:  # an instant, whatever zone it is shown in
        return array.cast(pa.timestamp(t.unit, tz="UTC"))
    if pa.types.is_large_binary(t) or pa.types.is_binary_view(t) or pa.types.is_fixed_size_binary(t):
        return array.cast(pa.binary())
    return array


def bits(array):
    """The values of a float array as integers, all NaN as one, so that -0.0 differs from 0.0."""
    x = np.array(array.fill_null(0.0).to_numpy(zero_copy_only=False), dtype=np.float64)
    x[np.isnan(x)] = np.nan
    return x.view(np.int64)


def different(want, got):
    """Says in what the arrays differ: (number of values, a description), or (0, "")."""
    want, got = plain(want), plain(got)
    if len(want) != len(got):
        return max(len(want), len(got)), f"{len(got)} values, want {len(want)}"
    if pa.types.is_null(got.type) and want.null_count == len(want):
        return 0, ""
    if want.type != got.type:
        return len(want), f"type {got.type}, want {want.type}"
    unlike = np.array(pc.is_null(want).to_numpy(zero_copy_only=False) != pc.is_null(got).to_numpy(zero_copy_only=False))
    if pa.types.is_floating(want.type):
        unlike |= bits(want.cast(pa.float64())) != bits(got.cast(pa.float64()))
    elif not want.equals(got):
        unlike |= pc.fill_null(pc.not_equal(want, got), False).to_numpy(zero_copy_only=False)
    n = int(unlike.sum())
    if n == 0:
        return 0, ""
    i = int(np.flatnonzero(unlike)[0])
    return n, f"row {i}: {got[i].as_py()!r}, want {want[i].as_py()!r}"
