package page

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/web/internal/access"
)

// fill makes a column of values.
func fill[T any](s *site, name string, codec column.Codec[T], values ...T) {
	s.t.Helper()
	c, err := column.Create(ctx, s.v, name, codec, nil)
	if err == nil {
		err = c.Extend(ctx, values)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// cells are the numbers and the values of the table of a column.
func cells(t *testing.T, body string) (numbers, values []string) {
	t.Helper()
	for n := range node(t, body, "values").Descendants() {
		if n.Data == "th" && attr(n, "scope") == "row" {
			numbers = append(numbers, textIn(n))
		}
		if n.Data == "td" {
			values = append(values, textIn(n))
		}
	}
	return numbers, values
}

func TestColumnsList(t *testing.T) {
	s := newSite(t, access.Everything(false))
	if body := s.view("/columns"); node(t, body, "empty") == nil {
		t.Error("the list of no columns does not say so")
	}
	fill(s, "flights/delay", column.Float64, 1, 2)
	fill(s, "sizes", column.Int64)
	fill(s, "flights/<b>", column.String, "x")
	body := s.view("/columns")
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for n := range doc.Descendants() {
		if n.Data == "caption" || attr(n, "class") == "column" {
			got = append(got, strings.Join(strings.Fields(textIn(n)), " "))
		}
		if n.Data == "a" && strings.HasPrefix(attr(n, "href"), columnMount) {
			s.view(attr(n, "href"))
		}
	}
	if want := "[flights/ delay f642 <b> str:utf81 Columns sizes i640]"; fmt.Sprint(got) != want {
		t.Errorf("the list is %v, not %s", got, want)
	}
}

func TestColumnValues(t *testing.T) {
	s := newSite(t, access.Everything(false))
	many := make([]int64, 250)
	for i := range many {
		many[i] = int64(i) * 1_000_000_007_000_001
	}
	fill(s, "many", column.Int64, many...)
	for path, want := range map[string]string{
		"": "0 99", "?at=100": "100 199", "?at=240": "240 249", "?at=9999": "249 249",
		"?at=%207%20": "7 106",
	} {
		body := s.view("/columns/many" + path)
		numbers, values := cells(t, body)
		if got := numbers[0] + " " + numbers[len(numbers)-1]; got != want ||
			values[0] != fmt.Sprint(many[atoi(numbers[0])]) {
			t.Errorf("%s: %s, %s", path, got, values[0])
		}
		if next := node(t, body, "values-next"); (next != nil) != (len(numbers) == 100) {
			t.Errorf("%s: the next page is %v", path, next)
		}
		if previous := node(t, body, "values-previous"); (previous != nil) != (path != "") {
			t.Errorf("%s: the page before is %v", path, previous)
		}
	}
}

func TestCells(t *testing.T) {
	s := newSite(t, access.Everything(false))
	fill(s, "many", column.Int64, 1)
	number := func(x float64) column.Null[float64] { return column.Null[float64]{V: x, Valid: true} }
	fill(s, "floats", column.Nullable(column.Float64),
		number(1.5), column.Null[float64]{}, number(math.NaN()))
	fill(s, "texts/a b", column.String, "plain", "<script>alert(1)</script>", "", "line\nbreak",
		strings.Repeat("\u20ac", 1000), "null", "\u202e")
	fill(s, "vectors", column.Vector[float32](2), []float32{1, 2})
	fill(s, "empty", column.Bool)
	for path, want := range map[string][]string{
		"floats":  {"1.5", "null", "NaN"},
		"vectors": {"[1.0,2.0]"},
		"texts/a%20b": {"plain", "<script>alert(1)</script>", `""`, `"line\nbreak"`,
			strings.Repeat("\u20ac", 99) + "…", "null", `"\u202e"`},
		"empty": nil,
	} {
		body := s.view("/columns/" + path)
		if _, got := cells(t, body); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %q", path, got)
		}
		if plotted := node(t, body, "plot") != nil; plotted != (path == "floats") {
			t.Errorf("%s is plotted: %v", path, plotted)
		}
		if strings.Contains(body, "<script>alert") {
			t.Errorf("%s: a value is markup", path)
		}
	}
	for path, want := range map[string]int{
		"/columns/absent": 404, "/columns/many?at=-1": 400, "/columns/many?at=x": 400,
		"/columns/": 400,
	} {
		if resp, _ := s.do(http.MethodGet, path, "", nil); resp.StatusCode != want {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

func atoi(s string) (n int) {
	fmt.Sscan(s, &n)
	return n
}

// Long values make the page shorter, and a very long one is not shown.
func TestLongValues(t *testing.T) {
	s := newSite(t, access.Everything(false))
	long := strings.Repeat("a", maxValues/3)
	fill(s, "long", column.String, long, long, long, long, strings.Repeat("b", 2*maxValues), "short")
	for _, at := range []int{0, 4, 5} {
		body := s.view(fmt.Sprintf("/columns/long?at=%d", at))
		numbers, values := cells(t, body)
		if len(body) > 20_000 || (values[0] == "longer than 1 MiB") != (at == 4) || len(numbers) == 0 ||
			numbers[0] != fmt.Sprint(at) {
			t.Errorf("at %d: %d bytes, %v", at, len(body), numbers)
		}
		if next := node(t, body, "values-next"); (next == nil) != (at == 5) {
			t.Errorf("at %d: the next page is %v", at, next)
		}
	}
}

func TestColumnGrants(t *testing.T) {
	s := newSite(t, grantOf(t, access.Token{Prefix: "mine/"}))
	fill(s, "mine/a", column.Int64, 1)
	fill(s, "other", column.Int64, 123456789)
	if body := s.view("/columns"); strings.Contains(body, "other") ||
		!strings.Contains(body, "/columns/mine/a") {
		t.Error("the list is not that of the token")
	}
	s.view("/columns/mine/a")
	for _, path := range []string{"/columns/other", "/columns/absent"} {
		if resp, body := s.do(http.MethodGet, path, "", nil); resp.StatusCode != http.StatusForbidden ||
			strings.Contains(body, "123456789") {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

// uPlot is there with its licence and the version that the notice in it names.
func TestVendored(t *testing.T) {
	files := loadAssets().files
	if !strings.Contains(string(files["vendor/uPlot/uPlot.iife.min.js"]), "uPlot (v1.6.32)") {
		t.Error("uPlot is another version")
	}
	if !strings.Contains(string(files["vendor/uPlot/LICENSE"]), "The MIT License") ||
		len(files["vendor/uPlot/uPlot.min.css"]) == 0 {
		t.Error("uPlot is not whole")
	}
}
