package column_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// golden are columns that a version of the Python package has written: what testdata/golden/make.py
// prints.
type golden struct {
	Version string
	Columns []*goldenColumn
}

type goldenColumn struct {
	Name, Dtype string
	Given, Read []any
	Arrays      []*goldenArray
}

type goldenArray struct {
	Name, Dtype      string
	ElemSize         int64 `json:"elem_size"`
	Length, Min, Max int64
	Chunks           []goldenChunk
}

// goldenChunk is a row of col_chunks. Data is hexadecimal, without the zeros at its end.
type goldenChunk struct {
	Idx, Size, Used int64
	Data            string
}

func readGolden(t *testing.T, version string) *golden {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "golden", "kohakuvault-"+version+".json"))
	must(t, err)
	defer f.Close()
	g, dec := new(golden), json.NewDecoder(f)
	dec.UseNumber()
	must(t, dec.Decode(g))
	if g.Version != version || len(g.Columns) < 15 {
		t.Fatalf("%d columns of version %q", len(g.Columns), g.Version)
	}
	return g
}

// build makes the file that the package made.
func (g *golden) build(t *testing.T, chunks string) *kvault.Vault {
	t.Helper()
	return openFile(t, g.file(t, chunks))
}

func (g *golden) file(t *testing.T, chunks string) string {
	t.Helper()
	path := newPath(t)
	sql, id := []string{metaOf021, chunks}, 0
	for _, c := range g.Columns {
		for _, a := range c.Arrays {
			id++
			sql = append(sql, fmt.Sprintf(`INSERT INTO col_meta VALUES(%d, '%s', '%s', %d, %d, %d, %d, %d)`, id, a.Name, a.Dtype, a.ElemSize, a.Length, a.Max, a.Min, a.Max))
			for _, chunk := range a.Chunks {
				data := chunk.Data + strings.Repeat("00", int(chunk.Size)-len(chunk.Data)/2)
				values := fmt.Sprintf(`%d, %d, x'%s', %d`, id, chunk.Idx, data, chunk.Size)
				if chunks == chunksOf040 {
					values += fmt.Sprintf(`, %d, 0, 0, 0`, chunk.Used)
				}
				sql = append(sql, `INSERT INTO col_chunks VALUES(`+values+`)`)
			}
		}
	}
	script(t, path, sql...)
	return path
}

// elements are those of a column of any type, as a slice.
func elements(t *testing.T, d column.Dynamic) reflect.Value {
	t.Helper()
	out := reflect.ValueOf(d).MethodByName("Slice").Call([]reflect.Value{reflect.ValueOf(t.Context()), reflect.ValueOf(int64(0)), reflect.ValueOf(int64(math.MaxInt64))})
	if err, _ := out[1].Interface().(error); err != nil {
		t.Fatalf("%s: %v", d.Type(), err)
	}
	return out[0]
}

func extend(t *testing.T, d column.Dynamic, xs reflect.Value) {
	t.Helper()
	out := reflect.ValueOf(d).MethodByName("Extend").Call([]reflect.Value{reflect.ValueOf(t.Context()), xs})
	if err, _ := out[0].Interface().(error); err != nil {
		t.Fatalf("%s: %v", d.Type(), err)
	}
}

// plainOf makes of an element what the golden file has for it.
func plainOf(x reflect.Value, dims []int) any {
	switch x.Kind() {
	case reflect.Interface:
		if x.IsNil() {
			return nil
		}
		return plainOf(x.Elem(), nil)
	case reflect.Struct:
		var shape []int
		for _, d := range x.FieldByName("Shape").Seq2() {
			shape = append(shape, int(d.Int()))
		}
		return plainOf(x.FieldByName("Data"), shape)
	case reflect.Slice:
		if x.Type() == reflect.TypeFor[[]byte]() && dims == nil {
			return hex.EncodeToString(x.Bytes())
		}
		list, n := []any{}, x.Len()
		if len(dims) > 1 {
			n = dims[0]
		}
		for i := range n {
			if len(dims) > 1 {
				width := x.Len() / n
				list = append(list, plainOf(x.Slice(i*width, (i+1)*width), dims[1:]))
			} else {
				list = append(list, plainOf(x.Index(i), nil))
			}
		}
		return list
	case reflect.Map:
		dict := map[string]any{}
		for k, v := range x.Seq2() {
			dict[k.String()] = plainOf(v, nil)
		}
		return dict
	case reflect.Float32, reflect.Float64:
		return x.Float()
	}
	if x.CanInt() || x.CanUint() {
		return json.Number(fmt.Sprint(x))
	}
	return x.Interface()
}

// floats makes the numbers of JSON that have a point or an exponent floating-point numbers.
func floats(x any) any {
	switch x := x.(type) {
	case json.Number:
		if strings.ContainsAny(x.String(), ".e") {
			f, _ := x.Float64()
			return f
		}
	case []any:
		for i := range x {
			x[i] = floats(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = floats(x[k])
		}
	}
	return x
}

func dimsOf(typ string) (dims []int) {
	for _, part := range strings.Split(typ, ":") {
		if n, err := strconv.Atoi(part); err == nil && strings.HasPrefix(typ, "vec") {
			dims = append(dims, n)
		}
	}
	return dims
}

var bits = cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })

// Every column that the package wrote reads as the package reads it, and can be gone on with.
func TestGoldenRead(t *testing.T) {
	for version, chunks := range map[string]string{"0.8.6": chunksOf040, "0.3.0": chunksOf021} {
		g := readGolden(t, version)
		v := g.build(t, chunks)
		for _, c := range g.Columns {
			t.Run(version+" "+c.Dtype, func(t *testing.T) {
				d, err := column.OpenAny(t.Context(), v, c.Name)
				must(t, err)
				xs := elements(t, d)
				got := []any{}
				for i := range xs.Len() {
					got = append(got, plainOf(xs.Index(i), dimsOf(d.Type())))
				}
				if diff := cmp.Diff(floats(c.Read), any(got), bits); diff != "" {
					t.Fatalf("(-Python +Go)\n%s", diff)
				}
				extend(t, d, xs)
				if n := elements(t, d).Len(); n != 2*xs.Len() {
					t.Errorf("%d elements after %d more", n, xs.Len())
				}
			})
		}
	}
}

// The same values written here are byte for byte what the package wrote.
func TestGoldenWrite(t *testing.T) {
	g := readGolden(t, "0.8.6")
	from, path := g.build(t, chunksOf040), newPath(t)
	to := openFile(t, path)
	for _, c := range g.Columns[2:] { // the first two were extended, for which the package begins a new chunk without need
		t.Run(c.Dtype, func(t *testing.T) {
			source, err := column.OpenAny(t.Context(), from, c.Name)
			must(t, err)
			target, err := column.CreateAny(t.Context(), to, c.Name, c.Dtype, &column.Options{MinChunk: 128, MaxChunk: 1024})
			must(t, err)
			xs := elements(t, source)
			for i := range xs.Len() {
				extend(t, target, xs.Slice(i, i+1))
			}
			var got []*goldenArray
			for _, a := range c.Arrays {
				got = append(got, arrayOf(t, path, a.Name))
				a.Dtype = strings.Replace(a.Dtype, c.Dtype, target.Type(), 1) // the package keeps the name that its caller used
			}
			if diff := cmp.Diff(c.Arrays, got); diff != "" {
				t.Errorf("(-Python +Go)\n%s", diff)
			}
		})
	}
}

func arrayOf(t *testing.T, path, name string) *goldenArray {
	t.Helper()
	a := &goldenArray{Name: name}
	row := raw(t, path, fmt.Sprintf(`SELECT dtype, elem_size, length, min_chunk_bytes, max_chunk_bytes FROM col_meta WHERE name = '%s'`, name))
	if len(row) != 1 {
		t.Fatalf("%d arrays by the name %s", len(row), name)
	}
	_, err := fmt.Sscan(row[0], &a.Dtype, &a.ElemSize, &a.Length, &a.Min, &a.Max)
	must(t, err)
	for _, row := range raw(t, path, fmt.Sprintf(`SELECT chunk_idx, actual_size, bytes_used, hex(data) FROM col_chunks JOIN col_meta USING (col_id) WHERE name = '%s' ORDER BY chunk_idx`, name)) {
		var chunk goldenChunk
		_, err := fmt.Sscan(row, &chunk.Idx, &chunk.Size, &chunk.Used, &chunk.Data)
		must(t, err)
		data := strings.ToLower(chunk.Data)
		for strings.HasSuffix(data, "00") && len(data)%2 == 0 {
			data = data[:len(data)-2]
		}
		chunk.Data = data
		a.Chunks = append(a.Chunks, chunk)
	}
	return a
}

// The columns that the package begins with chunk 1 are sound, and a chunk that is really lost is
// missed all the same.
func TestGoldenCheck(t *testing.T) {
	g, ctx := readGolden(t, "0.8.6"), t.Context()
	path := g.file(t, chunksOf040)
	v := openFile(t, path)
	_, err := v.Check(ctx, nil)
	must(t, err)
	must(t, v.Close())

	saved := newPath(t)
	_, err = kvault.Salvage(ctx, path, saved, &kvault.SalvageOptions{OnLoss: func(l kvault.Loss) { t.Errorf("lost: %+v", l) }})
	must(t, err)
	v, again := openFile(t, path), openFile(t, saved)
	for _, c := range g.Columns[:3] {
		holds(t, openColumn(t, again, c.Name, column.String), elements(t, openColumn(t, v, c.Name, column.String)).Interface().([]string))
	}
	must(t, v.Close())

	script(t, path, `DELETE FROM col_chunks WHERE chunk_idx = 0 AND col_id = (SELECT col_id FROM col_meta WHERE name = 'c14_data')`)
	v = openFile(t, path)
	report, err := v.Check(ctx, nil)
	wantErr(t, err, kvault.ErrCorrupt)
	if report.Problems != 1 || report.First[0].Column != "c14_data" {
		t.Errorf("after the loss of a chunk: %+v", report)
	}
}
