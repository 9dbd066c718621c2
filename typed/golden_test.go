package typed

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
)

// golden is a value that the Python package stored. "python typed.py golden" in testdata makes the
// file anew.
type golden struct {
	Name   string
	Stored string
	// Exact says that the package reads it back as it was; Reads is what it reads.
	Exact bool
	Reads any
}

func goldens(t testing.TB) []golden {
	b, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 70 {
		t.Fatalf("only %d golden values", len(all))
	}
	return all
}

func (g golden) bytes(t testing.TB) []byte {
	b, err := hex.DecodeString(g.Stored)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecodeWhatPythonStored(t *testing.T) {
	for _, g := range goldens(t) {
		if !g.Exact {
			continue
		}
		v, err := Decode(g.bytes(t))
		if err != nil {
			t.Errorf("%s: %v", g.Name, err)
			continue
		}
		if got := tag(t, v.Data); !reflect.DeepEqual(got, g.Reads) { // cmp.Diff takes for ever over deep values
			t.Errorf("%s: %v, Python reads %v", g.Name, got, g.Reads)
		}
	}
}

// What the package itself does not read back as it was.
func TestDecodeWhatPythonMisreads(t *testing.T) {
	want := map[string]any{
		"int 1e12": int64(1e12), "int 1e15": int64(1e15), "int -1e15": int64(-1e15), "int ns": int64(1764155512123456789),
		"int max": int64(math.MaxInt64), "int min": math.Copysign(0, -1), "uint 2**63": math.Pow(2, 63), "bool": int64(1),
		"float 0.0": int64(0), "float -0.0": math.Copysign(0, -1), "float 5e-324": int64(1), "float 1e-70": int64(0x316615e91d8f359d),
		"dict nan": map[string]any{"x": nil}, "vec u8 short": Vector{[]int{2}, []uint8{1, 2}}, "vec empty": Vector{[]int{0}, []float32{}},
		"numpy float64": Vector{[]int{}, []float64{2.5}}, "numpy float32": Vector{[]int{}, []float32{2.5}}, "numpy int64": Vector{[]int{}, []int64{7}},
	}
	for _, g := range goldens(t) {
		if g.Exact {
			continue
		}
		v, err := Decode(g.bytes(t))
		switch {
		case g.Name == "bytes magic":
			if !errors.Is(err, ErrHeader) {
				t.Errorf("%s: %v", g.Name, err)
			}
		case g.Name == "bytes magic header":
			if !errors.Is(err, ErrPayload) {
				t.Errorf("%s: %v", g.Name, err)
			}
		case err != nil:
			t.Errorf("%s: %v", g.Name, err)
		case v.Encoding == Pickle:
			if p, ok := v.Data.(Pickled); !ok || v.Kind() != "pickle" || !bytes.Equal(p, g.bytes(t)[HeaderSize:]) {
				t.Errorf("%s: %v", g.Name, v)
			}
			delete(want, g.Name)
		default:
			if got, want := tag(t, v.Data), tag(t, want[g.Name]); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v, want %v", g.Name, got, want)
			}
			delete(want, g.Name)
		}
	}
	if len(want) > 0 {
		t.Errorf("not among the golden values: %v", want)
	}
}

// Whoever knows the type of a number gets it, whatever the guess.
func TestKnownNumbers(t *testing.T) {
	ints := map[string]int64{"int min": math.MinInt64, "int max": math.MaxInt64, "int ns": 1764155512123456789, "int 5": 5}
	floats := map[string]float64{"float 1e-70": 1e-70, "float 0.0": 0, "float 5e-324": 5e-324, "float 1.5": 1.5}
	for _, g := range goldens(t) {
		v, err := Decode(g.bytes(t))
		if err != nil {
			continue
		}
		i, isInt := v.Int64()
		f, isFloat := v.Float64()
		if want, ok := ints[g.Name]; ok && (!isInt || i != want) {
			t.Errorf("%s: %d, %v", g.Name, i, isInt)
		}
		if want, ok := floats[g.Name]; ok && (!isFloat || f != want) {
			t.Errorf("%s: %v, %v", g.Name, f, isFloat)
		}
		if v.Encoding != DataPacker && (isInt || isFloat) {
			t.Errorf("%s is taken for a number", g.Name)
		}
	}
}

// Encoding what was decoded gives the bytes that Python stored, where the encoding has only one
// form.
func TestEncodeAsPythonDoes(t *testing.T) {
	for _, g := range goldens(t) {
		if !g.Exact || strings.HasPrefix(g.Name, "json") || strings.HasPrefix(g.Name, "cbor") || g.Name == "vec empty 2d" {
			continue
		}
		v, err := Decode(g.bytes(t))
		if err != nil {
			t.Fatal(err)
		}
		got, err := EncodeAs(v.Encoding, v.Data)
		if err != nil {
			t.Errorf("%s: %v", g.Name, err)
		} else if !bytes.Equal(got, g.bytes(t)) {
			t.Errorf("%s: %x, Python stores %s", g.Name, got, g.Stored)
		}
	}
}
