package plain_test

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/internal/plain"
)

type inner struct{ A any }

type hidden struct{ B any }

type own struct{ A any }

func (o *own) UnmarshalText([]byte) error { return nil }

type outer struct {
	Any     any
	Narrow  int8
	List    []any
	Map     map[string]any
	Structs map[string]inner
	Keys    map[any]int8
	Pointer *inner
	Array   [1]inner
	Own     own
	Time    time.Time
	Err     error
	Next    *outer
	hidden
	unread any
}

func TestVariable(t *testing.T) {
	x := &outer{Any: int8(-1), Narrow: 3, List: []any{uint16(1), []any{uint64(math.MaxUint64), float32(0.5)}}, Map: map[string]any{"a": uint8(200), "b": map[string]any{"c": int32(5)}},
		Structs: map[string]inner{"s": {uint64(7)}}, Keys: map[any]int8{uint8(9): 1}, Pointer: &inner{int16(3)}, Array: [1]inner{{map[any]any{int8(1): uint8(2)}}},
		Own: own{int8(1)}, hidden: hidden{uint32(4)}, unread: int8(1)}
	x.Next = x
	plain.Variable(x)
	x.Next = nil
	want := &outer{Any: int64(-1), Narrow: 3, List: []any{int64(1), []any{uint64(math.MaxUint64), 0.5}}, Map: map[string]any{"a": int64(200), "b": map[string]any{"c": int64(5)}},
		Structs: map[string]inner{"s": {int64(7)}}, Keys: map[any]int8{int64(9): 1}, Pointer: &inner{int64(3)}, Array: [1]inner{{map[any]any{int64(1): int64(2)}}},
		Own: own{int8(1)}, hidden: hidden{int64(4)}, unread: int8(1)}
	if !reflect.DeepEqual(x, want) {
		t.Errorf("%#v", x)
	}
	plain.Variable(nil)
	plain.Variable((*outer)(nil))
	plain.Variable(outer{})
}

// An entry whose key does not equal itself can be neither found nor replaced.
func TestKeyNaN(t *testing.T) {
	m := map[float64]any{math.NaN(): uint8(1), 2: uint8(2)}
	plain.Variable(&m)
	if len(m) != 2 || m[2] != int64(2) {
		t.Errorf("%#v", m)
	}
	keys := map[any]any{math.NaN(): uint8(1), uint8(3): uint8(3)}
	plain.Variable(&keys)
	if len(keys) != 2 || keys[int64(3)] != int64(3) {
		t.Errorf("%#v", keys)
	}
}

// Two keys that become one are an error, and so is none of those that only look alike.
func TestKeysBecomeOne(t *testing.T) {
	for _, m := range []map[any]any{{int8(1): "a", int64(1): "b"}, {uint8(1): "a", uint16(1): "b"}, {float32(0.5): 1, 0.5: 2}, {"in": []any{map[any]any{int8(1): 1, int32(1): 2}}}} {
		if err := plain.Variable(&m); err == nil {
			t.Errorf("%v", m)
		}
	}
	m := map[any]any{int8(1): "a", 1.0: "b", "1": "c", uint64(math.MaxUint64): "d"}
	if err := plain.Variable(&m); err != nil || len(m) != 4 || m[int64(1)] != "a" {
		t.Errorf("%v, %v", m, err)
	}
}
