package describe_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/describe"
)

var nan, inf = math.NaN(), math.Inf(1)

func newVault(t *testing.T) *kvault.Vault {
	t.Helper()
	v, err := kvault.Open(t.Context(), ":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func add[T any](t *testing.T, v *kvault.Vault, name string, codec column.Codec[T], xs ...T) {
	t.Helper()
	c, err := column.Create(t.Context(), v, name, codec, nil)
	if err == nil {
		err = c.Extend(t.Context(), xs)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// nulls is a list in which nil is a null.
func nulls[T any](xs ...any) []column.Null[T] {
	list := make([]column.Null[T], len(xs))
	for i, x := range xs {
		if x != nil {
			list[i] = column.Null[T]{V: x.(T), Valid: true}
		}
	}
	return list
}

func at(text string) time.Time {
	x, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return x
}

func newColumns(t *testing.T) *kvault.Vault {
	v := newVault(t)
	add(t, v, "ints", column.Int64, 4, 1, 3, 2)
	add(t, v, "null ints", column.Nullable(column.Int64), nulls[int64](int64(4), nil, int64(1), int64(3), nil, int64(2))...)
	add(t, v, "only nulls", column.Nullable(column.Float64), nulls[float64](nil, nil)...)
	add(t, v, "floats", column.Float64, 1, nan, 2, inf, -inf, nan)
	add(t, v, "none", column.Int64)
	add(t, v, "large", column.Int64, math.MaxInt64, math.MaxInt64)
	add(t, v, "texts", column.Nullable(column.String), nulls[string]("b", nil, "aé", "b")...)
	add(t, v, "bools", column.Nullable(column.Bool), nulls[bool](true, nil, true, false)...)
	add(t, v, "days", column.Nullable(column.Date), nulls[time.Time](at("2013-01-05T00:00:00Z"), nil, at("1969-12-31T00:00:00Z"))...)
	add(t, v, "times", column.Timestamp(time.Nanosecond), at("1677-09-22T00:00:00Z"), at("2262-04-11T00:00:00.5Z"))
	add(t, v, "instants", column.TimestampUTC(time.Second), at("2013-01-05T00:00:00Z"))
	add(t, v, "unsigned", column.Vector[uint64](2), []uint64{math.MaxUint64, 1}, []uint64{math.MaxUint64, 3})
	add(t, v, "vectors", column.Vector[float32](2), []float32{1e8, 1}, []float32{-1e8, float32(nan)})
	add(t, v, "tensors", column.Tensors[int8](), column.Tensor[int8]{Data: []int8{-1, 2}}, column.Tensor[int8]{Data: []int8{}})
	add(t, v, "values", column.MessagePack[any](), "a", nil, "a")
	return v
}

func TestStatsOf(t *testing.T) {
	v := newColumns(t)
	for name, want := range map[string]string{
		"ints":       `"of":"values","count":4,"sum":10,"min":1,"max":4,"mean":2.5,`,
		"null ints":  `"of":"values","count":6,"nulls":2,"sum":10,"min":1,"max":4,"mean":2.5,"histogram":[{"from":1,"to":1,"count":1},`,
		"only nulls": `"of":"values","count":2,"nulls":2}`,
		"floats":     `"count":6,"sum":3.0,"min":1.0,"max":2.0,"mean":1.5,"histogram":[{"from":1.0,"to":1.1,"count":1},`,
		"none":       `"of":"values","count":0}`,
		"large":      `"count":2,"sum":18446744073709551614,"min":9223372036854775807,"max":9223372036854775807,"mean":9.223372036854776e+18,"histogram":[{"from":9223372036854775807,"to":9223372036854775807,"count":2}]`,
		"texts":      `"of":"lengths","count":4,"nulls":1,"sum":5,"min":1,"max":3,`,
		"bools":      `"of":"truths","count":4,"nulls":1,"true":2}`,
		"days":       `"of":"times","count":3,"nulls":1,"min":"1969-12-31","max":"2013-01-05","histogram":[{"from":"1969-12-31","to":"1974-`,
		"times":      `"min":"1677-09-22T00:00:00","max":"2262-04-11T00:00:00.5"`,
		"instants":   `"min":"2013-01-05T00:00:00Z"`,
		"unsigned":   `"of":"numbers","count":2,"numbers":4,"sum":36893488147419103234,"min":1,"max":18446744073709551615,"mean":9.223372036854776e+18,"histogram":[{"from":1,"to":1844674407370955162,"count":2}`,
		"vectors":    `"of":"numbers","count":2,"numbers":4,"sum":1.0,"min":-1e+08,"max":1e+08,`,
		"tensors":    `"of":"numbers","count":2,"numbers":2,"sum":1,"min":-1,"max":2,"mean":0.5,`,
		"values":     `"of":"lengths","count":3,"sum":5,"min":1,"max":2,`,
	} {
		s, err := describe.StatsOf(t.Context(), v, name, describe.Bins)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := json.Marshal(s)
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	v := newColumns(t)
	for name, want := range map[string]string{
		"ints":       `"count":4,"nulls":0,"distinct":4,"mean":2.5,"std":1.2909944487358056,"min":1,"p25":1.75,"p50":2.5,"p75":3.25,"max":4}`,
		"null ints":  `"count":6,"nulls":2,"distinct":4,"mean":2.5,"std":1.2909944487358056,"min":1,"p25":1.75,"p50":2.5,"p75":3.25,"max":4}`,
		"only nulls": `"count":2,"nulls":2,"distinct":0}`,
		"floats":     `"count":6,"nulls":0,"nan":2,"infinite":2,"distinct":5,"mean":1.5,"std":0.7071067811865476,"min":1.0,"p25":1.25,"p50":1.5,"p75":1.75,"max":2.0}`,
		"none":       `"count":0,"nulls":0,"distinct":0}`,
		"large":      `"distinct":1,"mean":9.223372036854776e+18,"std":0.0,"min":9223372036854775807,"p25":9223372036854775807,`,
		"texts":      `"count":4,"nulls":1,"distinct":2,"min":"aé","max":"b","shortest":1,"longest":3}`,
		"bools":      `"count":4,"nulls":1,"distinct":2,"mean":0.6666666666666666,"min":false,"max":true}`,
		"days":       `"count":3,"nulls":1,"distinct":2,"min":"1969-12-31","p25":"1980-10-01","p50":"1991-07-04","p75":"2002-04-05","max":"2013-01-05"}`,
		"times":      `"distinct":2,"min":"1677-09-22T00:00:00","p25":"1823-11-12T12:00:00.125","p50":"1970-01-01T00:00:00.25",`,
		"unsigned":   `"count":2,"nulls":0,"distinct":2}`,
		"tensors":    `"count":2,"nulls":0,"distinct":2}`,
		"values":     `"count":3,"nulls":0,"distinct":2,"shortest":1,"longest":2}`,
	} {
		d, err := describe.Describe(t.Context(), v, name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := json.Marshal(d)
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
	if _, err := describe.Describe(t.Context(), v, "nowhere"); err == nil {
		t.Error("a column that is not there was described")
	}
}

// Two workers share a long column.
func TestLongColumn(t *testing.T) {
	v := newVault(t)
	const length = 600_001
	xs, fs := make([]int64, length), make([]float64, length)
	for i := range xs {
		xs[i] = int64(i) * 7919 % length
		fs[i] = float64(xs[i]) / 2
	}
	add(t, v, "ints", column.Int64, xs...)
	add(t, v, "floats", column.Float64, fs...)
	s, err := describe.StatsOf(t.Context(), v, "ints", describe.Bins)
	if err != nil || s.Count != length || s.Sum != int64(length)*(length-1)/2 || s.Min != int64(0) || s.Max != int64(length-1) {
		t.Errorf("%+v, %v", s, err)
	}
	counted := int64(0)
	for _, b := range s.Histogram {
		counted += b.Count
	}
	if counted != length {
		t.Errorf("%d in the histogram", counted)
	}
	for name, half := range map[string]any{"ints": int64(length / 2), "floats": describe.Real(length / 4)} {
		d, err := describe.Describe(t.Context(), v, name)
		if err != nil || d.Count != length || d.P50 != half || !d.Estimated || math.Abs(float64(d.Distinct-length)) > length*0.03 {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}

// Lengths are those of what is stored, however another program has encoded it.
func TestStoredLengths(t *testing.T) {
	v := newVault(t)
	add(t, v, "values", column.MessagePack[any]())
	d, err := column.OpenStored(t.Context(), v, "values")
	if err == nil {
		err = d.(*column.Column[[]byte]).Append(t.Context(), []byte{0xd3, 0, 0, 0, 0, 0, 0, 0, 1})
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := describe.Describe(t.Context(), v, "values")
	if err != nil || *got.Shortest != 9 || *got.Longest != 9 {
		t.Errorf("%+v, %v", got, err)
	}
	s, err := describe.StatsOf(t.Context(), v, "values", describe.Bins)
	if err != nil || s.Sum != int64(9) {
		t.Errorf("%+v, %v", s, err)
	}
}
