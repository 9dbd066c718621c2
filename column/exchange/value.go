package exchange

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/jsonform"
)

// valueForm is the form of values of any form: JSON, also in Arrow.
var valueForm = newValueForm()

func newValueForm() *form[any] {
	f := &form[any]{
		text:     appendValue,
		json:     appendValue,
		quoted:   true,
		picky:    true,
		arrow:    arrow.BinaryTypes.String,
		build:    buildJSON(appendValue),
		parse:    parsing(plainValue),
		fromJSON: plainValue,
		size:     sizeOfValue,
	}
	f.nulls = true
	f.fromArrow = func(a arrow.Array, i int) (any, error) {
		if text, ok := textOf(a, i); ok && a.IsValid(i) {
			return f.parse(text)
		}
		return anyOf(a, i)
	}
	return f
}

// appendValue appends a value in JSON. Floating-point numbers have a point or an exponent, by which
// they come back as such; those that are not finite are null, as in the Python package. What JSON
// has no form for is a string: bytes in base64, and what else there is as it prints.
func appendValue(dst []byte, x any) []byte {
	switch x := x.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, x)
	case int64:
		return strconv.AppendInt(dst, x, 10)
	case uint64:
		return strconv.AppendUint(dst, x, 10)
	case float64:
		if !finite(x) {
			return append(dst, "null"...)
		}
		return jsonform.AppendFloat(dst, x, 64)
	case string:
		return jsonString(dst, x)
	case []byte:
		return jsonString(dst, base64.StdEncoding.EncodeToString(x))
	case []any:
		dst = append(dst, '[')
		for i, y := range x {
			dst = appendValue(separate(dst, i), y)
		}
		return append(dst, ']')
	case map[string]any:
		dst = append(dst, '{')
		for i, key := range slices.Sorted(maps.Keys(x)) {
			dst = append(jsonString(separate(dst, i), key), ':')
			dst = appendValue(dst, x[key])
		}
		return append(dst, '}')
	}
	text, err := json.Marshal(x)
	if err != nil {
		return jsonString(dst, fmt.Sprint(x))
	}
	return append(dst, text...)
}

func separate(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}

// plainValue makes a value as jsonform.Reader gives it one as column.MessagePack has it.
func plainValue(v any) (_ any, err error) {
	switch v := v.(type) {
	case json.Number:
		return plainNumber(v.String())
	case []any:
		for i := range v {
			if v[i], err = plainValue(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			if v[key], err = plainValue(v[key]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func plainNumber(text string) (any, error) {
	if strings.ContainsAny(text, ".eE") {
		return parseFloat(text)
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i, nil
	}
	u, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%s needs more than 64 bits: %w", text, kvault.ErrTooLarge)
	}
	return u, nil
}

// sizeOfValue is about how much memory a value takes.
func sizeOfValue(x any) int {
	n := 16
	switch x := x.(type) {
	case string:
		n += len(x)
	case []byte:
		n += len(x)
	case []any:
		for _, y := range x {
			n += sizeOfValue(y)
		}
	case map[string]any:
		for key, y := range x {
			n += len(key) + sizeOfValue(y)
		}
	}
	return n
}
