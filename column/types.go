package column

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// typeName is the name of a type of elements, taken apart. The Python package keeps names as its
// caller wrote them, and knows several for one type.
type typeName struct {
	base string // i64, f64, bytes, str, vec, msgpack or cbor
	size int    // of each element of bytes, str, msgpack and cbor, or 0 if they differ
	enc  Encoding
	elem string        // of vec
	dims []int         // of vec, none if they differ
	as   string        // what the numbers or bytes stand for: bool, date, timestamp, or nothing
	unit time.Duration // of timestamp
	utc  bool          // of timestamp
}

func (n *typeName) String() string {
	parts := []string{n.base}
	if n.elem != "" {
		parts = append(parts, n.elem)
	}
	for _, d := range n.dims {
		parts = append(parts, strconv.Itoa(d))
	}
	if n.size > 0 {
		parts = append(parts, strconv.Itoa(n.size))
	}
	if n.enc != "" {
		parts = append(parts, string(n.enc))
	}
	if n.as != "" {
		parts = append(parts, n.as)
	}
	if n.unit != 0 {
		parts = append(parts, unitName(n.unit))
	}
	if n.utc {
		parts = append(parts, "utc")
	}
	return strings.Join(parts, ":")
}

// shortNames are names of types that this package takes and does not write.
var shortNames = map[string][]string{
	asBool: {"bytes", "1", asBool}, asDate: {"i64", asDate}, asTimestamp: {"i64", asTimestamp},
}

// split returns the parts of the name of a type, those of its long name for a short one.
func split(typ string) []string {
	parts := strings.Split(typ, ":")
	long, ok := shortNames[parts[0]]
	if !ok {
		return parts
	}
	if typ == asTimestamp {
		parts = append(parts, unitName(time.Microsecond))
	}
	return append(slices.Clone(long), parts[1:]...)
}

// Other names that the package takes.
var (
	baseAlias = map[string]string{"string": "str", "messagepack": "msgpack", "vector": "vec"}
	elemAlias = map[string]string{"float32": "f32", "float64": "f64", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64",
		"uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64"}
	encodingAlias = map[Encoding]Encoding{"utf-8": UTF8, "utf-16le": UTF16LE, "utf-16be": UTF16BE, "iso-8859-1": Latin1}
)

func unalias[T ~string](alias map[T]T, name T) T {
	if known, ok := alias[name]; ok {
		return known
	}
	return name
}

// parseType reports false if it does not know the type. What follows a type that takes no more is
// ignored, as the package ignores it.
func parseType(typ string) (*typeName, bool) {
	parts := split(typ)
	n, rest := &typeName{base: unalias(baseAlias, parts[0])}, parts[1:]
	switch n.base {
	case "f64":
		return n, true
	case "i64":
		n.parseTime(rest)
		return n, true
	case "bytes", "msgpack", "cbor":
		if len(rest) == 0 {
			return n, true
		}
		if n.size = positive(rest[0]); n.base == "bytes" && n.size == 1 && len(rest) > 1 && rest[1] == asBool {
			n.as = asBool
		}
		return n, n.size > 0
	case "str":
		return n, n.parseText(rest)
	case "vec":
		if len(rest) == 0 {
			return nil, false
		}
		n.elem = unalias(elemAlias, rest[0])
		for _, dim := range rest[1:] {
			n.dims = append(n.dims, positive(dim))
		}
		return n, elementCodes[n.elem] != 0 && !slices.Contains(n.dims, 0)
	}
	return nil, false
}

// parseTime takes what follows i64. To the Python package it is nothing.
func (n *typeName) parseTime(rest []string) {
	switch {
	case len(rest) == 0:
	case rest[0] == asDate:
		n.as = asDate
	case rest[0] == asTimestamp && len(rest) > 1 && units[rest[1]] != 0:
		n.as, n.unit, n.utc = asTimestamp, units[rest[1]], len(rest) > 2 && rest[2] == "utc"
	}
}

// parseText takes what follows str: nothing, a size, an encoding, or both.
func (n *typeName) parseText(rest []string) bool {
	n.enc = UTF8
	if len(rest) > 0 {
		if _, err := strconv.Atoi(rest[0]); err == nil {
			if n.size = positive(rest[0]); n.size == 0 {
				return false
			}
			rest = rest[1:]
		}
	}
	if len(rest) > 0 {
		n.enc = unalias(encodingAlias, Encoding(strings.ToLower(rest[0])))
		rest = rest[1:]
	}
	return len(rest) == 0 && n.enc.known()
}

// positive is the number above 0 that s stands for, or 0.
func positive(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// SameType says whether two names are of one type: "str" is "str:utf8", and "vec:float32:3" is
// "vec:f32:3".
func SameType(a, b string) bool { return a == b || canonical(a) == canonical(b) }

// canonical is the name that this package has for a type, or the name itself if it has none.
func canonical(typ string) string {
	switch typ {
	case "i64", "f64", "bytes", "str:utf8":
		return typ
	}
	plain, nullable := strings.CutSuffix(typ, nullSuffix)
	if n, ok := parseType(plain); ok {
		plain = n.String()
	}
	if nullable {
		return plain + nullSuffix
	}
	return plain
}
