package typed

import (
	"math"
	"reflect"
	"testing"
)

// A dimension has 32 bits in the file, whatever an int has here.
func TestDimensionsOf32Bits(t *testing.T) {
	const longest = "\xff\xff\xff\xff"
	if v, err := parseVector([]byte("\x09\x02" + longest + longest + "x")); err == nil {
		t.Errorf("one number of shape %v was accepted", v.Shape)
	}
	v, err := parseVector([]byte("\x09\x02" + longest + "\x00\x00\x00\x00"))
	if math.MaxInt < math.MaxUint32 {
		if err == nil {
			t.Errorf("shape %v, which no int can say, was accepted", v.Shape)
		}
		return
	}
	if want := []int{min(math.MaxInt, math.MaxUint32), 0}; err != nil || !reflect.DeepEqual(v.Shape, want) {
		t.Errorf("shape %v, %v, want %v", v.Shape, err, want)
	}
}
