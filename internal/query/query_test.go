package query_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/query"
)

var nan = math.NaN()

const length = 6

// newVault has a column of six elements of each type.
func newVault(t testing.TB) *kvault.Vault {
	t.Helper()
	v, err := kvault.Open(t.Context(), ":memory:", nil)
	must(t, err)
	t.Cleanup(func() { v.Close() })
	add(t, v, "n", column.Int64, 1, 2, 3, 4, 5, math.MaxInt64)
	add(t, v, "m", column.Int64, 3, 3, 3, 1, 1, 1)
	add(t, v, "f", column.Float64, 1.5, nan, -1, 4, math.Inf(1), 1.5)
	add(t, v, "s", column.String, "b", "a", "b", "it's", "", "é")
	add(t, v, "yes", column.Bool, true, false, true, false, true, false)
	add(t, v, "day", column.Date, date("2013-01-01"), date("2013-01-03"), date("2013-01-02"), date("1969-12-31"), date("2013-01-01"), date("2020-02-29"))
	add(t, v, "at", column.TimestampUTC(time.Second), date("2013-01-01"), date("2013-01-03"), date("2013-01-02").Add(time.Hour), date("1969-12-31"), date("2013-01-01"), date("2020-02-29"))
	add(t, v, "null", column.Nullable(column.Int64), column.Null[int64]{V: 1, Valid: true}, column.Null[int64]{}, column.Null[int64]{V: 3, Valid: true}, column.Null[int64]{}, column.Null[int64]{V: 0, Valid: true}, column.Null[int64]{V: 1, Valid: true})
	add(t, v, "raw", column.Bytes, []byte("z"), []byte("y"), []byte("x"), []byte("w"), []byte("v"), []byte("u"))
	add(t, v, "vec", column.Vector[float32](1), []float32{1}, []float32{1}, []float32{1}, []float32{1}, []float32{1}, []float32{1})
	add(t, v, "t/n", column.Int64, 6, 5, 4, 3, 2, 1)
	add(t, v, `a "b"`, column.Int64, 1, 1, 1, 1, 1, 2)
	add(t, v, "short", column.Int64, 1)
	return v
}

func date(text string) time.Time {
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func add[T any](t testing.TB, v *kvault.Vault, name string, codec column.Codec[T], xs ...T) {
	t.Helper()
	c, err := column.Create(t.Context(), v, name, codec, nil)
	must(t, err)
	must(t, c.Extend(t.Context(), xs))
}

func rowsOf(t testing.TB, v *kvault.Vault, s query.Selection, n int64) (rows []int64, err error) {
	must(t, v.View(t.Context(), func(tx *kvault.Tx) error {
		for row, failed := range s.Rows(t.Context(), tx, n) {
			if err = failed; err != nil {
				return nil
			}
			rows = append(rows, row)
		}
		return nil
	}))
	return rows, err
}

func TestWhere(t *testing.T) {
	v := newVault(t)
	for where, want := range map[string][]int64{
		"n = 3":                            {2},
		"n != 3":                           {0, 1, 3, 4, 5},
		"n < 3":                            {0, 1},
		"n <= 3":                           {0, 1, 2},
		"3<n":                              {3, 4, 5},
		"3 >= n":                           {0, 1, 2},
		"n > 2.5 AND n<4.5":                {2, 3},
		"n = 2.0":                          {1},
		"n = 9223372036854775807":          {5},
		"n < 9223372036854775808":          {0, 1, 2, 3, 4, 5},
		"n = 9223372036854775808":          nil,
		"n > -1e999":                       {0, 1, 2, 3, 4, 5},
		"n < m":                            {0, 1},
		"n >= m":                           {2, 3, 4, 5},
		"f = 1.5":                          {0, 5},
		"f > 1.5":                          {3, 4},
		"f != 1.5":                         {1, 2, 3, 4},
		"not f > 1.5":                      {0, 1, 2, 5},
		"f != f":                           {1},
		"f = n":                            {3},
		"n < f":                            {0, 4},
		"f > n":                            {0, 4},
		"s = 'b'":                          {0, 2},
		"s = 'it''s'":                      {3},
		"s > 'b'":                          {3, 5},
		"s = ''":                           {4},
		"'é' = s":                          {5},
		"yes":                              {0, 2, 4},
		"not yes and n < 5":                {1, 3},
		"yes = false":                      {1, 3, 5},
		"day >= '2013-01-02'":              {1, 2, 5},
		"day < '1970-01-01'":               {3},
		"at > '2013-01-02'":                {1, 2, 5},
		"at = '2013-01-02 01:00:00'":       {2},
		"at = '2013-01-02T02:00:00+01:00'": {2},
		"at = '2013-01-02T01:00:00.5Z'":    nil,
		"at = day":                         {0, 1, 3, 4, 5},
		`"null" = 1`:                       {0, 5},
		`"null" != 1`:                      {2, 4},
		`not "null" = 1`:                   {2, 4},
		`"null" is null`:                   {1, 3},
		`"null" is not null and n > 1`:     {2, 4, 5},
		`"null" = 1 or n = 2`:              {0, 1, 5},
		`not ("null" = 1 and n < 4)`:       {2, 3, 4, 5},
		`raw is null`:                      nil,
		"n = 1 or n = 2 and m = 9":         {0},
		"(n = 1 or n = 2) and m = 3":       {0, 1},
		"not not n = 1":                    {0},
		`"a ""b""" = 2`:                    {5},
		"`a \"b\"` = 2":                    {5},
		"t/n <= 2":                         {4, 5},
	} {
		e, err := query.Parse(where)
		must(t, err)
		rows, err := rowsOf(t, v, query.Selection{Where: e}, length)
		if err != nil || !slices.Equal(rows, want) {
			t.Errorf("%s: %v, %v, want %v", where, rows, err, want)
		}
	}
}

// A number of a condition is compared as it is written, also where no element can hold it.
func TestWhereCompareExactly(t *testing.T) {
	v := newVault(t)
	const even = 1 << 53 // the integer behind it is no float64
	add(t, v, "i", column.Int64, math.MinInt64, -1, 0, even, even+1, math.MaxInt64)
	add(t, v, "d", column.Float64, -1<<63, -even, 0.1, even, 1e23, math.Inf(1))
	all := []int64{0, 1, 2, 3, 4, 5}
	for where, want := range map[string][]int64{
		"i = 9007199254740993":              {4},
		"i = 9007199254740993.0":            {4},
		"i = 9007199254740993.5":            nil,
		"i < 9007199254740992.5":            {0, 1, 2, 3},
		"i >= 9007199254740992.5":           {4, 5},
		"i = 900719925474099.3e1":           {4},
		"i = 90071992547409930000e-4":       {4},
		"i > 9223372036854775806.5":         {5},
		"i >= 9223372036854775807.5":        nil,
		"i = 9.223372036854775807e18":       {5},
		"i <= -9223372036854775808.5":       nil,
		"i > -9223372036854775809":          all,
		"i = -9223372036854775809":          nil,
		"i = -9223372036854775808.0":        {0},
		"i > -0.5":                          {2, 3, 4, 5},
		"i >= 1e-999999999":                 {3, 4, 5},
		"i > -1e-99999999999999999999":      {2, 3, 4, 5},
		"i < 1e99999999999999999999":        all,
		"i = 0e99999999999999999999":        {2},
		"i = 000.000":                       {2},
		"9007199254740993.0 = i":            {4},
		"d = 9007199254740992":              {3},
		"d = 9007199254740993":              nil,
		"d != 9007199254740993":             all,
		"d < 9007199254740993":              {0, 1, 2, 3},
		"d >= 9007199254740993":             {4, 5},
		"9007199254740993 > d":              {0, 1, 2, 3},
		"d > -9007199254740993":             {1, 2, 3, 4, 5},
		"d <= -9223372036854775809":         nil,
		"d = +9007199254740992":             {3},
		"d = 0.1":                           {2},
		"d = 9007199254740993.0":            {3},
		"d = 1e23":                          {4},
		"d < 1" + strings.Repeat("0", 400):  {0, 1, 2, 3, 4},
		"d >= 1" + strings.Repeat("0", 400): {5},
	} {
		e, err := query.Parse(where)
		must(t, err)
		rows, err := rowsOf(t, v, query.Selection{Where: e}, length)
		if err != nil || !slices.Equal(rows, want) {
			t.Errorf("%.40s: %v, %v, want %v", where, rows, err, want)
		}
	}
}

func TestWhereErrors(t *testing.T) {
	v := newVault(t)
	for _, tt := range []struct{ where, want string }{
		{"", "at character 1: want a column or a value, not the end"},
		{"n >", "at character 4: want a column"},
		{"n > 3 or", "at character 9: want a column"},
		{"(n > 3", "at character 1: this parenthesis is not closed before the end"},
		{"n > 3)", "at character 6: want and, or, or the end, not )"},
		{"n like 'x'", "at character 3: want and, or, or the end, not like"},
		{"n == 3", "write = for =="},
		{"n <> 3", "write != for <>"},
		{"!yes", `write "not" for !`},
		{"n = 'x", "at character 5: the quote ' has no end"},
		{`é = "x`, `at character 5: the quote " has no end`},
		{"n = 1x", "at character 5: this is no number"},
		{"n = 1.2.3", "this is no number"},
		{"n = 1e", "this is no number"},
		{"n = -", "this is no number"},
		{"n = ;", "at character 5: ';' has no meaning here"},
		{"n is 3", `want null after "is", not 3: compare values with =`},
		{"n = null", `write "is null"`},
		{"3 is null", "want one of = != < <= > >= after 3, not is"},
		{"1 = 1", "neither side of = is a column"},
		{"n = 'x'", `at character 5: column "n" holds i64: compare it with a number, not with 'x'`},
		{"s = 3", `column "s" holds str:utf8: compare it with a text in quotes, such as 'abc', not with 3`},
		{"yes = 1", "compare it with true or false, not with 1"},
		{"day > 'yesterday'", "compare it with a date such as '2006-01-31', not with 'yesterday'"},
		{"n", `column "n" holds i64: compare it with something`},
		{"s = n", `at character 3: column "s" holds str:utf8 and column "n" holds i64: they cannot be compared`},
		{"raw = 'z'", `column "raw" holds bytes, which conditions cannot compare`},
		{"vec is null", "which conditions cannot compare"},
		{"nowhere = 1", `"nowhere": there is no such column`},
		{"short = 1", "it has 1 elements, but there are 6 rows"},
		{strings.Repeat("(", 100_000), "more than 500 parentheses"},
		{strings.Repeat("not ", 100_000), "more than 500"},
	} {
		e, err := query.Parse(tt.where)
		if err == nil {
			_, err = rowsOf(t, v, query.Selection{Where: e}, length)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40s: %v, want %q", tt.where, err, tt.want)
		}
	}
}

func TestSort(t *testing.T) {
	v := newVault(t)
	for _, tt := range []struct {
		s    query.Selection
		want []int64
	}{
		{query.Selection{Sort: "m"}, []int64{3, 4, 5, 0, 1, 2}},
		{query.Selection{Sort: "m", Descending: true}, []int64{0, 1, 2, 3, 4, 5}},
		{query.Selection{Sort: "f"}, []int64{2, 0, 5, 3, 4, 1}},
		{query.Selection{Sort: "f", Descending: true}, []int64{4, 3, 0, 5, 2, 1}},
		{query.Selection{Sort: "s"}, []int64{4, 1, 0, 2, 3, 5}},
		{query.Selection{Sort: "yes"}, []int64{1, 3, 5, 0, 2, 4}},
		{query.Selection{Sort: "day"}, []int64{3, 0, 4, 2, 1, 5}},
		{query.Selection{Sort: "raw"}, []int64{5, 4, 3, 2, 1, 0}},
		{query.Selection{Sort: "null"}, []int64{4, 0, 5, 2, 1, 3}},
		{query.Selection{Sort: "null", Descending: true}, []int64{2, 0, 5, 4, 1, 3}},
		{query.Selection{Sort: "n", Prefix: "t/"}, []int64{5, 4, 3, 2, 1, 0}},
		{query.Selection{Sort: "s", Prefix: "t/", To: 2}, []int64{4, 1}},
		{query.Selection{Sort: "s", From: -2}, []int64{3, 5}},
		{query.Selection{Sort: "s", From: 1, To: -3}, []int64{1, 0}},
		{query.Selection{Sort: "n", To: math.MaxInt64}, []int64{0, 1, 2, 3, 4, 5}},
	} {
		rows, err := rowsOf(t, v, tt.s, length)
		if err != nil || !slices.Equal(rows, tt.want) {
			t.Errorf("%+v: %v, %v, want %v", tt.s, rows, err, tt.want)
		}
	}
	for sort, want := range map[string]error{"vec": kvault.ErrUnsupported, "nowhere": kvault.ErrNotFound, "short": kvault.ErrInvalid} {
		if _, err := rowsOf(t, v, query.Selection{Sort: sort}, length); !errors.Is(err, want) {
			t.Errorf("by %s: %v, want %v", sort, err, want)
		}
	}
}

// Parts of rows are those of a slice, with and without a condition, over several pages.
func TestLongColumns(t *testing.T) {
	v := newVault(t)
	const many = 70_000
	xs := make([]int64, many)
	for i := range xs {
		xs[i] = int64(i) * 7919 % many
	}
	add(t, v, "x", column.Int64, xs...)
	odd, err := query.Parse("x > 34999")
	must(t, err)
	var chosen []int64
	for i, x := range xs {
		if x > 34999 {
			chosen = append(chosen, int64(i))
		}
	}
	clamp := func(i, n int64) int64 {
		if i < 0 {
			i += n
		}
		return min(max(i, 0), n)
	}
	n := int64(len(chosen))
	for _, bounds := range [][2]int64{{0, 0}, {5, 0}, {0, 5}, {5, 3}, {-5, 0}, {-5, -2}, {3, -3}, {-5, 4}, {-5, n - 2}, {n - 3, 0}, {n + 9, 0}, {0, -n}, {-n - 5, 3}, {math.MaxInt64, 0}, {math.MinInt64, 0}, {0, math.MinInt64}} {
		from, to := clamp(max(bounds[0], -math.MaxInt64), n), n
		if bounds[1] != 0 {
			to = clamp(max(bounds[1], -math.MaxInt64), n)
		}
		rows, err := rowsOf(t, v, query.Selection{Where: odd, From: bounds[0], To: bounds[1]}, many)
		if want := chosen[from:max(from, to)]; err != nil || !slices.Equal(rows, want) {
			t.Errorf("%v: %d rows, %v, want %d", bounds, len(rows), err, len(want))
		}
	}
	byX := slices.SortedFunc(slices.Values(chosen), func(a, b int64) int { return int(xs[a] - xs[b]) })
	for _, to := range []int64{0, 10, -10} {
		rows, err := rowsOf(t, v, query.Selection{Where: odd, Sort: "x", To: to}, many)
		want := byX
		if to != 0 {
			want = byX[:clamp(to, n)]
		}
		if err != nil || !slices.Equal(rows, want) {
			t.Errorf("sorted to %d: %d rows, %v, want %d", to, len(rows), err, len(want))
		}
	}
}

// Rows of a column that loses elements meanwhile are an error that names it, and not fewer.
func TestColumnBecomesShorter(t *testing.T) {
	v := newVault(t)
	const many = 300_000 // over several blocks
	add(t, v, "x", column.Int64, make([]int64, many)...)
	add(t, v, "nulls", column.Nullable(column.Int64), make([]column.Null[int64], many)...)
	for _, name := range []string{"x", "nulls"} {
		e, err := query.Parse(name + " is null or not " + name + " is null")
		must(t, err)
		failed := errors.New("the rows ended without an error")
		err = v.Update(t.Context(), func(tx *kvault.Tx) error {
			s := query.Selection{Where: e}
			for row, err := range s.Rows(t.Context(), tx, many) {
				switch {
				case err != nil:
					return err
				case row > 0:
					continue
				case name == "x":
					c, err := column.Open(t.Context(), tx, name, column.Int64)
					must(t, err)
					must(t, c.Clear(t.Context()))
				default:
					c, err := column.Open(t.Context(), tx, name, column.Nullable(column.Int64))
					must(t, err)
					must(t, c.Clear(t.Context()))
				}
			}
			return failed
		})
		if !errors.Is(err, column.ErrRange) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each row is in a sample as often as any other.
func TestSample(t *testing.T) {
	v := newVault(t)
	var often [length]int
	const samples = 3000
	for seed := range uint64(samples) {
		s := query.Selection{Sample: 2, Seed: seed}
		rows, err := rowsOf(t, v, s, length)
		again, _ := rowsOf(t, v, s, length)
		if err != nil || len(rows) != 2 || rows[0] >= rows[1] || !slices.Equal(rows, again) {
			t.Fatalf("%v, again %v, %v", rows, again, err)
		}
		often[rows[0]]++
		often[rows[1]]++
	}
	for row, n := range often { // of a mean of 1000 and a deviation of 26
		if n < 870 || n > 1130 {
			t.Errorf("row %d is in %d samples of %d", row, n, samples)
		}
	}
	if rows, _ := rowsOf(t, v, query.Selection{Sample: 9}, length); len(rows) != length {
		t.Errorf("%v of %d rows", rows, length)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"n > 3 and not (s = 'x' or yes)", `"a ""b""" is not null`, "f != f", "1 <= n", "n = 'x", "é > -1.5e3", "("} {
		f.Add(s)
	}
	v := newVault(f)
	f.Fuzz(func(t *testing.T, s string) {
		e, err := query.Parse(s)
		if err != nil {
			if syntax := (*query.SyntaxError)(nil); !errors.As(err, &syntax) || syntax.At < 1 {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if rows, err := rowsOf(t, v, query.Selection{Where: e}, length); err != nil && rows != nil {
			t.Errorf("%q: %v and %v", s, rows, err)
		}
	})
}
