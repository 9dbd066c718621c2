package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
	"github.com/kohakuvault/kvault/internal/cli"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/api"
)

// elements are some of each type, as JSON.
var elements = []struct{ typ, list string }{
	{"i64", `[9223372036854775807,-9223372036854775808,9007199254740993]`},
	{"f64", `["NaN","+Inf",-0.0]`},
	{"bool", `[true,false,true]`},
	{"date", `["2020-02-29","1969-12-31","9999-12-31"]`},
	{"timestamp", `["2020-02-29T01:02:03.000004","1969-12-31T23:59:59","2020-01-01T00:00:00"]`},
	{"timestamp:ns:utc", `["2020-02-29T01:02:03.000000004Z","1969-12-31T23:59:59Z","2020-01-01T00:00:00Z"]`},
	{"bytes", `["/w==","","AAEC"]`},
	{"bytes:2", `["/wA=","AAA=","AAE="]`},
	{"str", `["a","","line\nend \"quoted\" </script> \u2028 é,\t"]`},
	{"str:utf16le", `["a","","é"]`},
	{"str:8:latin1", `["a","","é"]`},
	{"vec:f32", `[[1.5,2.0],[],[3.0]]`},
	{"vec:u8:2", `[[1,2],[3,4],[255,0]]`},
	{"vec:u64:2", `[[18446744073709551615,2],[3,4],[0,0]]`},
	{"msgpack", `[{"a":[1,2.5,null,"x"]},18446744073709551615,"text"]`},
	{"msgpack:32", `[{"a":1},2,"x"]`},
	{"cbor", `[{"a":[1,2.5,null,"x"]},-1,"text"]`},
}

// newTypes makes the table types/ with a column of each type, and of each as a nullable one.
func newTypes(t *testing.T, path string) *kvault.Vault {
	t.Helper()
	v, err := kvault.Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	var rows [3]strings.Builder
	types := map[string]string{}
	for i, e := range elements {
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(e.list), &list); err != nil {
			t.Fatal(err)
		}
		types[e.typ], types[e.typ+" or null"] = e.typ, e.typ+":null"
		for row := range rows {
			sep := ','
			if i == 0 {
				sep = '{'
			}
			text := string(list[row])
			fmt.Fprintf(&rows[row], "%c%q:%s", sep, e.typ, text)
			if row == 1 {
				text = "null"
			}
			fmt.Fprintf(&rows[row], ",%q:%s", e.typ+" or null", text)
		}
	}
	text := rows[0].String() + "}\n" + rows[1].String() + "}\n" + rows[2].String() + "}\n"
	o := &exchange.ImportOptions{Prefix: "types/", Types: types}
	if _, err := exchange.Import(t.Context(), v, strings.NewReader(text), exchange.NDJSON, o); err != nil {
		t.Fatal(err)
	}
	return v
}

// command is what the command writes.
func command(t *testing.T, path string, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	sys := cli.IO{
		In: strings.NewReader(""), Out: &out, Err: &errs,
		Getenv: func(string) string { return "" }, IsTerminal: func(any) bool { return false },
	}
	if code := cli.Run(t.Context(), append([]string{"-f", path}, args...), sys); code != 0 {
		t.Fatalf("%q: %d %s", args, code, &errs)
	}
	return out.String()
}

type rowsAnswer struct {
	Columns []struct {
		Name, Type string
		Nullable   bool
	}
	Length, Offset int64
	Rows           []json.RawMessage
	Next           *int64
}

func (a rowsAnswer) lines() string {
	var b strings.Builder
	for _, row := range a.Rows {
		b.Write(row)
		b.WriteByte('\n')
	}
	return b.String()
}

// Each type is written as the command writes it, in each format.
func TestRowsAsTheCommand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	v := newTypes(t, path)
	for _, pageBytes := range []int{64 << 10, 1} {
		c := serve(t, api.NewWith(v, func(l *api.Limits) { l.PageBytes = pageBytes }), access.Everything(false))
		for _, name := range []string{"types/", "types/f64", "types/i64 or null"} {
			at := pathOf(name)
			if got, want := into[rowsAnswer](c, at).lines(), command(t, path, "col", "show", name, "--json"); got != want {
				t.Errorf("%s: %s\nwant %s", name, got, want)
			}
			for format, theirs := range map[string]string{"ndjson": "ndjson", "csv": "csv"} {
				got, want := c.get(at+"?format="+format), command(t, path, "col", "export", name, "--format", theirs)
				if got != want {
					t.Errorf("%s as %s: %q, want %q", name, format, got, want)
				}
			}
			got := decoded(t, c.get(at+"?format=arrow"))
			want := decoded(t, command(t, path, "col", "export", name, "--format", "arrows"))
			if got != want {
				t.Errorf("%s as arrow: %s, want %s", name, got, want)
			}
		}
	}
}

func pathOf(name string) string {
	return "columns/" + strings.NewReplacer("%", "%25", " ", "%20", ":", "%3A").Replace(name)
}

// decoded is the rows of an Arrow stream, each on a line.
func decoded(t *testing.T, stream string) string {
	t.Helper()
	r, err := ipc.NewReader(strings.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	var b strings.Builder
	fmt.Fprintln(&b, r.Schema())
	for r.Next() {
		rec := r.RecordBatch()
		for i := range int(rec.NumRows()) {
			for _, column := range rec.Columns() {
				fmt.Fprintf(&b, "%s ", column.ValueStr(i))
			}
			fmt.Fprintln(&b)
		}
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return b.String()
}

func TestListOfColumns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	v := newTypes(t, path)
	for _, name := range []string{"..", "a//b", "./x"} {
		if _, err := column.Create(t.Context(), v, name, column.Int64, nil); err != nil {
			t.Fatal(err)
		}
	}
	type list struct {
		Columns []struct {
			Name, Type, Table, Path string
			Length                  int64
			Nullable                bool
			ElementBytes            int64 `json:"element_bytes"`
		}
	}
	got := into[list](everything(t, v), "columns").Columns
	var lines strings.Builder
	c := everything(t, v)
	for i, info := range got {
		fmt.Fprintf(&lines, "{\"name\":%q,\"type\":%q,\"length\":%d}\n", info.Name, info.Type, info.Length)
		if table, _, in := strings.Cut(info.Name, "/"); in && info.Table != table+"/" || !in && info.Table != "" {
			t.Errorf("%s: table %q", info.Name, info.Table)
		}
		if info.Nullable != strings.HasSuffix(info.Name, " or null") {
			t.Errorf("%s: nullable %v", info.Name, info.Nullable)
		}
		if i == 0 && info.ElementBytes != 8 {
			t.Errorf("%s: %d bytes", info.Name, info.ElementBytes)
		}
		rows := into[rowsAnswer](c, strings.TrimPrefix(info.Path, api.Mount))
		if len(rows.Columns) != 1 || rows.Columns[0].Name != info.Name || rows.Columns[0].Type != info.Type {
			t.Errorf("%s leads to %+v", info.Path, rows)
		}
	}
	if want := command(t, path, "col", "ls", "-r", "--json"); lines.String() != want {
		t.Errorf("%s\nwant %s", &lines, want)
	}
}

func add[T any](t testing.TB, v *kvault.Vault, name string, codec column.Codec[T], xs ...T) *column.Column[T] {
	t.Helper()
	c, err := column.Ensure(t.Context(), v, name, codec, nil)
	if err == nil {
		err = c.Extend(t.Context(), xs)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func count(n int64) []int64 {
	list := make([]int64, n)
	for i := range list {
		list[i] = int64(i)
	}
	return list
}

func TestRanges(t *testing.T) {
	v := newVault(t)
	add(t, v, "n", column.Int64, count(2500)...)
	c := everything(t, v)
	for query, want := range map[string]struct{ offset, rows, next int64 }{
		"":                                  {0, 1000, 1000},
		"?offset=2000":                      {2000, 500, 0},
		"?offset=2500":                      {2500, 0, 0},
		"?offset=9223372036854775807":       {2500, 0, 0},
		"?offset=-1":                        {2499, 1, 0},
		"?offset=-3&limit=2":                {2497, 2, 2499},
		"?offset=-9223372036854775808":      {0, 1000, 1000},
		"?limit=10000":                      {0, 2500, 0},
		"?offset=2&limit=1&format=json":     {2, 1, 3},
		"?view=rows&offset=1499&limit=1000": {1499, 1000, 2499},
	} {
		a := into[rowsAnswer](c, "columns/n"+query)
		next := int64(0)
		if a.Next != nil {
			next = *a.Next
		}
		if a.Length != 2500 || a.Offset != want.offset || int64(len(a.Rows)) != want.rows || next != want.next {
			t.Errorf("%q: length %d, offset %d, %d rows, next %d", query, a.Length, a.Offset, len(a.Rows), next)
		}
		for i, row := range a.Rows {
			if string(row) != fmt.Sprintf(`{"n":%d}`, want.offset+int64(i)) {
				t.Fatalf("%q: row %d is %s", query, i, row)
			}
		}
	}
	if got := c.get("columns/n?format=csv&offset=-2&limit=1"); got != "\"n\"\n2498\n" && got != "n\n2498\n" {
		t.Errorf("%q", got)
	}
	if got := c.get("columns/n?format=ndjson"); strings.Count(got, "\n") != 2500 {
		t.Errorf("%d lines", strings.Count(got, "\n"))
	}
}

func TestTables(t *testing.T) {
	v := newVault(t)
	add(t, v, "t/a", column.Int64, 1, 2)
	add(t, v, "t/b,c", column.String, "x", "y")
	add(t, v, "t/short", column.Int64, 1)
	add(t, v, "u/", column.Int64, 1)
	add(t, v, "u/a", column.Int64, 2)
	c := everything(t, v)
	for path, want := range map[string]string{
		"columns/t/" + query("column", "b,c", "column", "a"): "{\"b,c\":\"x\",\"a\":1}\n{\"b,c\":\"y\",\"a\":2}\n",
		"columns/t/?column=short":                            "{\"short\":1}\n",
		"columns/u/":                                         "{\"u/\":1,\"u/a\":2}\n",
		"columns/u/?column=":                                 "{\"\":1}\n",
	} {
		if got := into[rowsAnswer](c, path).lines(); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if status, text := c.status("GET", "columns/t/", ""); status != http.StatusBadRequest || !strings.Contains(text, "length") {
		t.Errorf("columns of several lengths: %d %s", status, text)
	}
}

// Large elements are read one at a time, small ones many at a time; either way all of them come.
func TestUnevenElements(t *testing.T) {
	v := newVault(t)
	var list []string
	for i := range 300 {
		list = append(list, strings.Repeat("x", i%7))
		if i%50 == 49 {
			list = append(list, strings.Repeat("long", 100_000))
		}
	}
	add(t, v, "s", column.String, list...)
	c := serve(t, api.NewWith(v, func(l *api.Limits) { l.PageBytes = 4096 }), access.Everything(false))
	var got []string
	dec := json.NewDecoder(strings.NewReader(c.get("columns/s?format=ndjson")))
	for {
		var row struct{ S string }
		if err := dec.Decode(&row); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		got = append(got, row.S)
	}
	if !slices.Equal(got, list) {
		t.Errorf("%d elements came of %d", len(got), len(list))
	}
}

// An answer of which rows went away meanwhile does not look whole.
func TestShrunkColumn(t *testing.T) {
	v := newVault(t)
	c := everything(t, v)
	wide := strings.Repeat("x", 2<<10)
	for format, drop := range map[string]bool{"json": true, "ndjson": false, "csv": true, "arrow": false} {
		s := add(t, v, "s", column.String, slices.Repeat([]string{wide}, 10_000)...)
		res := c.do("GET", "columns/s?limit=10000&format="+format, "")
		// The server cannot have written all of it: buffers are not so long.
		if _, err := io.ReadFull(res.Body, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		var err error
		if drop {
			err = column.Drop(t.Context(), v, "s")
		} else {
			err = s.Clear(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err == nil {
			t.Errorf("%s, dropped %v: the answer looks whole", format, drop)
		}
	}
}
