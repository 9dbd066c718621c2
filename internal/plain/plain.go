// Package plain gives numbers that the libraries for MessagePack and CBOR decode into variables of
// type any one Go type: int64 for integers, float64 for floating-point numbers. The libraries choose the type by the
// width in which a number was encoded, which depends on its size and on the program that encoded it.
package plain

import (
	"encoding"
	"math"
	"reflect"
	"sync"

	"github.com/fxamacker/cbor/v2"
	"github.com/vmihailenco/msgpack/v5"
)

// Value makes all integers in a value int64, but for those that do not fit, and all floating-point
// numbers float64. It changes lists and maps where they are.
func Value(x any) any {
	switch x := x.(type) {
	case int8:
		return int64(x)
	case int16:
		return int64(x)
	case int32:
		return int64(x)
	case uint8:
		return int64(x)
	case uint16:
		return int64(x)
	case uint32:
		return int64(x)
	case uint64:
		if x <= math.MaxInt64 {
			return int64(x)
		}
	case float32:
		return float64(x)
	case []any:
		for i := range x {
			x[i] = Value(x[i])
		}
	case map[string]any:
		for k, v := range x {
			x[k] = Value(v)
		}
	case map[any]any:
		Variable(&x)
	case cbor.Tag:
		x.Content = Value(x.Content)
		return x
	}
	return x
}

// Variable does what Value does with every any within the variable that p points to: in its fields,
// elements, keys and pointers. Types with a decoding method of their own are left alone.
func Variable(p any) {
	v := reflect.ValueOf(p)
	if v.Kind() != reflect.Pointer || v.IsNil() || !holdsAny(v.Type()) {
		return
	}
	w := walk{}
	w.variable(v)
}

var known sync.Map // reflect.Type to bool: whether its variables may hold an any

func holdsAny(t reflect.Type) bool {
	if holds, ok := known.Load(t); ok {
		return holds.(bool)
	}
	holds := leadsToAny(t, map[reflect.Type]bool{})
	known.Store(t, holds)
	return holds
}

func leadsToAny(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] || decodesItself(t) {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return t.NumMethod() == 0
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return leadsToAny(t.Elem(), seen)
	case reflect.Map:
		return leadsToAny(t.Key(), seen) || leadsToAny(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); (f.IsExported() || f.Anonymous) && leadsToAny(f.Type, seen) {
				return true
			}
		}
	}
	return false
}

var decoders = []reflect.Type{reflect.TypeFor[msgpack.CustomDecoder](), reflect.TypeFor[msgpack.Unmarshaler](), reflect.TypeFor[cbor.Unmarshaler](),
	reflect.TypeFor[encoding.BinaryUnmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler]()}

func decodesItself(t reflect.Type) bool {
	if t.Kind() == reflect.Interface || t.Kind() == reflect.Pointer {
		return false
	}
	for _, d := range decoders {
		if reflect.PointerTo(t).Implements(d) {
			return true
		}
	}
	return false
}

// walk remembers the pointers that it followed, since a caller's variable may lead back to itself.
type walk map[pointer]struct{}

type pointer struct {
	typ reflect.Type
	to  uintptr
}

func (w walk) variable(v reflect.Value) {
	kind := v.Kind()
	if !holdsAny(v.Type()) || !v.CanInterface() && kind != reflect.Struct && kind != reflect.Pointer {
		return
	}
	switch kind {
	case reflect.Interface:
		if v.CanSet() && !v.IsNil() {
			v.Set(reflect.ValueOf(Value(v.Interface())))
		}
	case reflect.Pointer:
		p := pointer{v.Type(), v.Pointer()}
		if _, seen := w[p]; v.IsNil() || seen {
			return
		}
		w[p] = struct{}{}
		w.variable(v.Elem())
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			w.variable(v.Index(i))
		}
	case reflect.Map:
		w.entries(v)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous {
				w.variable(v.Field(i))
			}
		}
	}
}

// entries replaces the entries of a map, which are no variables, by changed copies. A key that does
// not equal itself, NaN, can be neither found nor removed: its entry stays as it is.
func (w walk) entries(m reflect.Value) {
	type entry struct{ key, value reflect.Value }
	var list []entry
	for i := m.MapRange(); i.Next(); {
		if i.Key().Equal(i.Key()) {
			list = append(list, entry{i.Key(), i.Value()})
		}
	}
	for _, old := range list {
		key, value := reflect.New(old.key.Type()).Elem(), reflect.New(m.Type().Elem()).Elem()
		key.Set(old.key)
		value.Set(old.value)
		w.variable(key)
		w.variable(value)
		if !key.Equal(old.key) {
			m.SetMapIndex(old.key, reflect.Value{})
		}
		m.SetMapIndex(key, value)
	}
}
