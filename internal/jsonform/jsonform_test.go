package jsonform_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/kohakuvault/kvault/internal/jsonform"
)

// What other readers replace, or where the last one wins, is refused with its place.
func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		name, in   string
		line, byte int64
		says       []string
	}{
		{"not UTF-8", "{}\n{\"s\":\"caf\xe9\"}", 2, 10, []string{"UTF-8", `"/s"`}},
		{"key not UTF-8", "{\"\xff\":1}", 1, 3, []string{"UTF-8"}},
		{"half a surrogate pair", `["\ud800"]`, 1, 3, []string{"surrogate"}},
		{"the other half", `["\udc00x"]`, 1, 3, []string{"surrogate"}},
		{"key twice", "{\"a\":1,\n\"a\":2}", 2, 1, []string{`"a" is there twice`}},
		{"key twice, escaped", `{"a":1,"\u0061":2}`, 1, 8, []string{`"a" is there twice`}},
		{"key twice, deep", `{"x":[{"k":1,"k":1}]}`, 1, 14, []string{`"k" is there twice`, `"/x/0"`}},
		{"NaN", `[NaN]`, 1, 2, []string{"'N'"}},
		{"leading zero", `[01]`, 1, 3, nil},
		{"cut off", `{"a":`, 1, 6, []string{"ends in the middle"}},
		{"cut off text", `"a`, 1, 3, []string{"ends in the middle"}},
		{"control character", "\"\n\"", 1, 2, nil},
		{"comma", `[1,]`, 1, 3, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := jsonform.NewReader(iotest.OneByteReader(strings.NewReader(tt.in)))
			var err error
			for err == nil {
				_, err = r.Read()
			}
			var bad *jsonform.Error
			if !errors.As(err, &bad) {
				t.Fatalf("error %v", err)
			}
			if bad.Line != tt.line || bad.Byte != tt.byte {
				t.Errorf("line %d, byte %d: %v", bad.Line, bad.Byte, err)
			}
			for _, words := range append(tt.says, "line ") {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q does not say %q", err, words)
				}
			}
			if strings.Contains(err.Error(), "json") {
				t.Errorf("%q names a package", err)
			}
		})
	}
}

func TestMembersInOrder(t *testing.T) {
	r := jsonform.NewReader(strings.NewReader(`{"z":1,"a":[null,{"b":"x"}]} {"z":true}`))
	var names []string
	err := r.Members(func(name string, v any) error {
		names = append(names, name)
		return nil
	})
	if err != nil || !reflect.DeepEqual(names, []string{"z", "a"}) {
		t.Errorf("%q, %v", names, err)
	}
	if err := r.End(); err == nil {
		t.Error("another value follows")
	}
	r = jsonform.NewReader(strings.NewReader(` [1] `))
	if err := r.Members(nil); err == nil {
		t.Error("a list is no object")
	}
	boom := errors.New("boom")
	if _, err := jsonform.NewReader(io.MultiReader(strings.NewReader(`[1`), iotest.ErrReader(boom))).Read(); err != boom {
		t.Errorf("a source that fails: %v", err)
	}
}

// Lines are counted though they are forgotten once they were read.
func TestLinesAfterManyValues(t *testing.T) {
	in := strings.Repeat("{\"a\":\n1}\n", 5000) + "{\"a\":\n x}"
	r := jsonform.NewReader(strings.NewReader(in))
	var err error
	for err == nil {
		_, err = r.Read()
	}
	var bad *jsonform.Error
	if !errors.As(err, &bad) || bad.Line != 10002 || bad.Byte != 2 {
		t.Errorf("error %v", err)
	}
}

func TestAppendFloat(t *testing.T) {
	for x, want := range map[float64]string{0: "0.0", 1: "1.0", 1e6: "1000000.0", 1e20: "100000000000000000000.0",
		1e21: "1e+21", 0.1: "0.1", 1e-6: "0.000001", 1e-7: "1e-07", math.MaxFloat64: "1.7976931348623157e+308"} {
		if got := string(jsonform.AppendFloat([]byte("."), x, 64)); got != "."+want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := string(jsonform.AppendFloat(nil, math.Copysign(0, -1), 64)); got != "-0.0" {
		t.Errorf("%s", got)
	}
	if got := string(jsonform.AppendFloat(nil, float64(float32(0.1)), 32)); got != "0.1" {
		t.Errorf("%s", got)
	}
}

// What is read is what encoding/json reads, and what this package refuses alone is one of the
// things that it is for.
func FuzzRead(f *testing.F) {
	for _, in := range []string{`{"a":[1,2.5,null,true,"x"]}`, `"\ud83d\ude00"`, `"\ud800"`, "\"\xff\"", `{"a":1,"a":2}`, `[NaN]`, `-0.0e5`, "[\n1 ,2\n]", `{"a":{"b":{}}`} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := jsonform.NewReader(bytes.NewReader(in))
		got, err := r.Read()
		if err == nil {
			err = r.End()
		}
		dec := json.NewDecoder(bytes.NewReader(in))
		dec.UseNumber()
		var want any
		lax := dec.Decode(&want)
		if lax == nil {
			_, lax = dec.Token()
			if lax == io.EOF {
				lax = nil
			} else if lax == nil {
				lax = errors.New("more")
			}
		}
		if err == nil && (lax != nil || !reflect.DeepEqual(got, want)) {
			t.Errorf("%q: %#v, the other reader %#v, %v", in, got, want, lax)
		}
		if bad := (*jsonform.Error)(nil); err != nil && err != io.EOF && (!errors.As(err, &bad) || bad.Line < 1 || bad.Byte < 1) {
			t.Errorf("%q: error %v without a place", in, err)
		}
	})
}

func FuzzFloat(f *testing.F) {
	f.Add(1.0)
	f.Add(1e21)
	f.Add(5e-324)
	f.Fuzz(func(t *testing.T, x float64) {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return
		}
		text := string(jsonform.AppendFloat(nil, x, 64))
		y, err := strconv.ParseFloat(text, 64)
		if err != nil || math.Float64bits(x) != math.Float64bits(y) || !strings.ContainsAny(text, ".e") {
			t.Errorf("%v became %s", x, text)
		}
	})
}
