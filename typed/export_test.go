package typed

import (
	"reflect"
	"testing"
)

// SharedDepth is how deep a value may nest that both sides read.
const SharedDepth = sharedDepth

// Tag brings a value into the form in which testdata/typed.py prints it.
func Tag(t *testing.T, v any) any { return tag(t, v) }

// Untag is the reverse. It reports false for pickles.
func Untag(t *testing.T, v any) (any, bool) {
	m := v.(map[string]any)
	if m["t"] == "pickle" {
		return nil, false
	}
	if m["t"] == "vec" {
		return untagVector(t, m), true
	}
	return untag(t, v), true
}

func untagVector(t *testing.T, m map[string]any) Vector {
	var shape []int
	for _, d := range m["shape"].([]any) {
		shape = append(shape, int(d.(float64)))
	}
	items := m["v"].([]any)
	element := 0
	for i := range elements {
		if elements[i].name == m["of"] {
			element = i
		}
	}
	data := newNumbers(element, len(items))
	for i, item := range items {
		to := reflect.ValueOf(data).Index(i)
		kind := "int"
		if to.CanFloat() {
			kind = "float"
		}
		number := reflect.ValueOf(untag(t, map[string]any{"t": kind, "v": item}))
		to.Set(number.Convert(to.Type()))
	}
	return Vector{Shape: shape, Data: data}
}
