// Package typed reads and writes the typed values of the Python package KohakuVault, 0.7 and later:
// numbers, text, lists, maps and arrays, where a vault's own values are bytes.
//
// A typed value is a header of ten bytes that names an [Encoding], and a payload. The rest of the
// vault knows nothing of it: Get, Put, readers and writers see all the bytes as they are stored,
// and raw bytes stay the default. This package is asked where a decoded value is wanted:
//
//	v, err := typed.Get(ctx, vault, "user:1")      // v.Data is an int64, a string, a map[string]any …
//	_, err = typed.Put(ctx, vault, "user:2", map[string]any{"name": "Ada"}, nil)
//	info, err := typed.Stat(ctx, vault, "movie")   // reads ten bytes
//
// [Decode] and [Encode] do the same with bytes that come from elsewhere.
//
// # What is decoded
//
//	encoding      Data
//	Raw           []byte, also for every value without a header
//	Pickle        Pickled: the bytes of a Python pickle, which are never executed
//	DataPacker    int64, float64 or Vector
//	JSON          nil, bool, int64, uint64 above that, *big.Int above that, float64, string, []any, map[string]any
//	MessagePack   nil, bool, int64, uint64 above that, float64, string, []byte, []any, map[string]any
//	CBOR          the same
//	Text          string
//
// JSON is read strictly. A key that an object has twice, text that is not UTF-8, half a surrogate
// pair and a floating-point number above all of 64 bits are errors with their line and byte. The
// words NaN, Infinity and -Infinity, which Python writes, are numbers.
//
// # Numbers
//
// The eight bytes of a DataPacker number do not say whether they are an integer or a float, so that
// has to be guessed. The guess of the Python package takes integers from 10^12 on for floats, and
// very small floats for integers. [Decode] guesses right for more of them, and [Value.Int64] and
// [Value.Float64] are for callers who know. [Encode] stores as MessagePack, which is exact, what
// the package would not read back as the same number.
//
// # Raw bytes that look like a header
//
// Bytes that begin 89 4B, as a header does, are stored by [Put] behind a header of the encoding
// Raw, so that they come back as they were, here and in Python. The vault's own Put stores any
// bytes as they are, and its Get returns them; Get of this package, and the Python package, fail on
// those that begin like a header and are none.
//
// # Limits
//
// Decoding takes memory in proportion to the payload, whatever lengths it announces, and refuses
// values that nest deeper than 1024 levels. All functions are safe for concurrent use.
package typed
