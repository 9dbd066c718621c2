// Package plain gives numbers that the libraries for MessagePack and CBOR decode into variables of
// type any one Go type: int64 for integers, float64 for floating-point numbers. The libraries
// choose the type by the width in which a number was encoded, which depends on its size and on the
// program that encoded it.
package plain

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"sync"

	"github.com/fxamacker/cbor/v2"
	"github.com/vmihailenco/msgpack/v5"
)

// value makes all integers in a value int64, but for those that do not fit, and all floating-point
// numbers float64. It changes lists and maps where they are.
func (w walk) value(x any) (any, error) {
	switch x := x.(type) {
	case []any:
		for i := range x {
			var err error
			if x[i], err = w.value(x[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k, v := range x {
			var err error
			if x[k], err = w.value(v); err != nil {
				return nil, err
			}
		}
	case map[any]any:
		return x, w.entries(reflect.ValueOf(x))
	case cbor.Tag:
		var err error
		x.Content, err = w.value(x.Content)
		return x, err
	}
	return Number(x), nil
}

// Number is x as an int64 if it is an integer that fits, as a float64 if it is a floating-point
// number, and else x.
func Number(x any) any {
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
	}
	return x
}

// Variable makes all integers int64, but for those that do not fit, and all floating-point numbers
// float64, in every any within the variable that p points to: in its fields, elements, keys and
// pointers. Types with a decoding method of their own are left alone. Two keys of a map that would
// become one are an error.
func Variable(p any) error {
	v := reflect.ValueOf(p)
	if v.Kind() != reflect.Pointer || v.IsNil() || !holdsAny(v.Type()) {
		return nil
	}
	return walk{}.variable(v)
}

// Unhashable is to be deferred around a call of the library for MessagePack. It makes an error of
// its panic over a key, such as a list, that no map of Go can have.
func Unhashable(err *error) {
	switch x := recover().(type) {
	case nil:
	case runtime.Error:
		if !strings.Contains(x.Error(), "unhashable") {
			panic(x)
		}
		*err = errors.New("a map has a key that is a list, a map or bytes, which no map of Go can have")
	default:
		panic(x)
	}
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

func (w walk) variable(v reflect.Value) (err error) {
	kind := v.Kind()
	if !holdsAny(v.Type()) || !v.CanInterface() && kind != reflect.Struct && kind != reflect.Pointer {
		return nil
	}
	switch kind {
	case reflect.Interface:
		if v.CanSet() && !v.IsNil() {
			var x any
			x, err = w.value(v.Interface())
			v.Set(reflect.ValueOf(&x).Elem())
		}
	case reflect.Pointer:
		p := pointer{v.Type(), v.Pointer()}
		if _, seen := w[p]; v.IsNil() || seen {
			return nil
		}
		w[p] = struct{}{}
		return w.variable(v.Elem())
	case reflect.Slice, reflect.Array:
		for i := 0; i < v.Len() && err == nil; i++ {
			err = w.variable(v.Index(i))
		}
	case reflect.Map:
		return w.entries(v)
	case reflect.Struct:
		for i := 0; i < v.NumField() && err == nil; i++ {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous {
				err = w.variable(v.Field(i))
			}
		}
	}
	return err
}

// entries replaces the entries of a map, which are no variables, by changed copies. A key that does
// not equal itself, NaN, can be neither found nor removed: its entry stays as it is.
func (w walk) entries(m reflect.Value) error {
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
		if err := errors.Join(w.variable(key), w.variable(value)); err != nil {
			return err
		}
		if !key.Equal(old.key) {
			if m.MapIndex(key).IsValid() {
				return fmt.Errorf("two keys of a map are %v, numbers of two widths: only one entry could be kept", key)
			}
			m.SetMapIndex(old.key, reflect.Value{})
		}
		m.SetMapIndex(key, value)
	}
	return nil
}
