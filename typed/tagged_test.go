package typed

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"testing"
)

// tag brings a value into the form that comes out of json.Unmarshal for what typed.py prints of an
// equal one.
func tag(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(tagOf(v))
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func tagOf(v any) any {
	switch v := v.(type) {
	case nil:
		return map[string]any{"t": "none"}
	case bool:
		return map[string]any{"t": "bool", "v": v}
	case string:
		return map[string]any{"t": "str", "v": v}
	case float64:
		return map[string]any{"t": "float", "v": floatTag(v)}
	case int64, uint64, *big.Int:
		return map[string]any{"t": "int", "v": fmt.Sprint(v)}
	case []byte:
		return map[string]any{"t": "bytes", "v": hex.EncodeToString(v)}
	case Pickled:
		return map[string]any{"t": "pickle"}
	case []any:
		list := []any{}
		for _, item := range v {
			list = append(list, tagOf(item))
		}
		return map[string]any{"t": "list", "v": list}
	case map[string]any:
		table := map[string]any{}
		for key, item := range v {
			table[key] = tagOf(item)
		}
		return map[string]any{"t": "map", "v": table}
	case Vector:
		list := []string{}
		for data, i := reflect.ValueOf(v.Data), 0; i < data.Len(); i++ {
			if n := data.Index(i); n.CanFloat() {
				list = append(list, floatTag(n.Float()))
			} else {
				list = append(list, fmt.Sprint(n))
			}
		}
		return map[string]any{"t": "vec", "of": v.ElementType(), "shape": v.Shape, "v": list}
	}
	return fmt.Sprintf("unexpected %T", v)
}

func floatTag(f float64) string {
	if math.IsNaN(f) {
		return "nan"
	}
	return fmt.Sprintf("%016x", math.Float64bits(f))
}

// untag is the reverse of tag, for values that are made of what JSON has.
func untag(t *testing.T, v any) any {
	t.Helper()
	m := v.(map[string]any)
	switch m["t"] {
	case "none":
		return nil
	case "int":
		if n, err := strconv.ParseInt(m["v"].(string), 10, 64); err == nil {
			return n
		}
		n, err := strconv.ParseUint(m["v"].(string), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	case "float":
		if m["v"] == "nan" {
			return math.NaN()
		}
		bits, err := strconv.ParseUint(m["v"].(string), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return math.Float64frombits(bits)
	case "bytes":
		b, err := hex.DecodeString(m["v"].(string))
		if err != nil {
			t.Fatal(err)
		}
		return b
	case "list":
		list := []any{}
		for _, item := range m["v"].([]any) {
			list = append(list, untag(t, item))
		}
		return list
	case "map":
		table := map[string]any{}
		for key, item := range m["v"].(map[string]any) {
			table[key] = untag(t, item)
		}
		return table
	}
	return m["v"]
}
