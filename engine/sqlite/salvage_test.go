package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// original is a vault whose content is known.
type original struct {
	values  map[string][]byte
	entries map[string]engine.Entry
	arrays  map[string][]byte
	data    []byte
	page    int
	// through is how salvage reads the file, if not as it is.
	through func(io.ReaderAt) io.ReaderAt
}

// makeOriginal makes a vault with values of all kinds, some replaced and removed since, and arrays.
// The SQL, if any, makes its table before.
func makeOriginal(t *testing.T, o sqlite.Options, sql ...string) *original {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v.kv")
	if len(sql) > 0 {
		foreign(t, path, append([]string{fmt.Sprintf(`PRAGMA page_size=%d`, o.PageSize)}, sql...)...)
	}
	s := open(t, path, &o)
	v := &original{values: map[string][]byte{}, entries: map[string]engine.Entry{}, arrays: map[string][]byte{}, page: o.PageSize}
	r := rand.New(rand.NewPCG(3, 4))
	var ops []engine.Op
	for i := range 120 {
		value := noise(r.IntN(300))
		switch i % 10 {
		case 3:
			value = noise(min(3*o.PageSize, 9000) + i)
		case 7:
			value = noise(int(o.OneRowLimit) + 100*i)
		}
		key := fmt.Sprintf("dir%d/key%03d", i%3, i)
		v.values[key] = append(value, key...)
		ops = append(ops, engine.Op{Kind: engine.Put, Key: key, Value: v.values[key], Meta: engine.Meta{ContentType: "text/plain", User: map[string]string{"i": fmt.Sprint(i)}}})
	}
	must[[]engine.Result](t)(s.Apply(t.Context(), ops))
	for i := 0; i < 120; i += 8 { // what was there before must not come back
		key := fmt.Sprintf("dir%d/key%03d", i%3, i)
		v.values[key] = []byte("new " + key)
		put(t, s, key, v.values[key])
	}
	for i := 5; i < 120; i += 20 {
		key := fmt.Sprintf("dir%d/key%03d", i%3, i)
		delete(v.values, key)
		must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Delete, Key: key}}))
	}
	for key := range v.values {
		v.entries[key] = must[engine.Entry](t)(s.Stat(t.Context(), key))
	}
	for i := range 6 {
		name := fmt.Sprintf("array%d", i)
		v.arrays[name] = noise(1000 + 2000*i)
		putArray(t, s, name, v.arrays[name])
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	v.data = must[[]byte](t)(os.ReadFile(path))
	return v
}

func putArray(t *testing.T, s *sqlite.Store, name string, data []byte) {
	t.Helper()
	x := must[engine.Tx](t)(s.Begin(t.Context(), true))
	defer x.Rollback()
	a := x.(engine.Arrays)
	arr := must[engine.Array](t)(a.CreateArray(t.Context(), engine.Array{Name: name, Type: "bytes:1", ElemSize: 1, MinChunk: 100, MaxChunk: 3000}))
	for i, p := range slices.Collect(slices.Chunk(data, 3000)) {
		if err := errors.Join(a.ResizeChunk(t.Context(), arr.ID, int64(i), int64(len(p))), a.WriteChunk(t.Context(), arr.ID, int64(i), 0, p),
			a.SetChunkUsed(t.Context(), arr.ID, int64(i), int64(len(p)), i%2 == 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(a.SetArrayLength(t.Context(), arr.ID, int64(len(data))), x.Commit(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// getArray reads an array; whole says that what is known of its chunks beside their bytes must be
// right, too.
func getArray(t *testing.T, s *sqlite.Store, name string, whole bool) ([]byte, error) {
	t.Helper()
	x := must[engine.Tx](t)(s.Begin(t.Context(), false))
	defer x.Rollback()
	a := x.(engine.Arrays)
	arr, err := a.Array(t.Context(), name)
	if err != nil {
		return nil, err
	}
	data := make([]byte, arr.Length)
	for i := range int64(len(data)+2999) / 3000 {
		p := data[i*3000 : min((i+1)*3000, int64(len(data)))]
		if err := a.ReadChunk(t.Context(), arr.ID, i, 0, p); err != nil {
			t.Error(err)
		}
		if used, deleted, err := a.ChunkUsed(t.Context(), arr.ID, i); err != nil || whole && (used != int64(len(p)) || deleted != (i%2 == 1)) {
			t.Errorf("%s: chunk %d: %d of %d bytes in use, %v, %v", name, i, used, len(p), deleted, err)
		}
	}
	return data, nil
}

// outcome is what came of a salvage.
type outcome struct {
	keys, arrays    int // given back
	lost, lostNames int
	ranges          int
	doubts          int
	report          sqlite.SalvageReport
	failed          error
}

// salvage damages a copy of the original by hurt, and holds what comes back against what was there.
// exact says that the damage does not alter what no checksum covers.
func (v *original) salvage(t *testing.T, name string, exact bool, hurt func(data []byte) []byte) outcome {
	t.Helper()
	dir := t.TempDir()
	src, dst := filepath.Join(dir, "hurt.kv"), filepath.Join(dir, "new.kv")
	before := hurt(bytes.Clone(v.data))
	if err := os.WriteFile(src, before, 0o600); err != nil {
		t.Fatal(err)
	}
	lost, doubt, columns := map[string]bool{}, map[string]bool{}, map[string]bool{}
	allDoubtful := false // the index of keys is lost
	var out outcome
	var losses []engine.Loss
	run := sqlite.Salvage
	if v.through != nil {
		run = func(ctx context.Context, src, dst string, o *sqlite.SalvageOptions) (*sqlite.SalvageReport, error) {
			return sqlite.SalvageThrough(ctx, src, dst, o, v.through)
		}
	}
	report, err := run(t.Context(), src, dst, &sqlite.SalvageOptions{OnLoss: func(l engine.Loss) {
		losses = append(losses, l)
		if l.Copied {
			out.doubts++
		}
		switch {
		case l.Key != "" && l.Copied:
			doubt[l.Key] = true
		case l.Key != "" && lost[l.Key]:
			t.Errorf("%s: %v: told twice", name, l)
		case l.Key != "":
			lost[l.Key] = true
		case l.Column != "":
			columns[l.Column] = true
		case l.Copied && errors.Is(l.Err, engine.ErrUnsupported): // the version of the layout
		case l.Copied:
			allDoubtful = true
		default:
			out.ranges++
		}
	}})
	if after := must[[]byte](t)(os.ReadFile(src)); !bytes.Equal(before, after) {
		t.Errorf("%s: the source was changed", name)
	}
	if out.failed = err; err != nil {
		if !errors.Is(err, engine.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if files := must[[]os.DirEntry](t)(os.ReadDir(dir)); len(files) != 1 {
			t.Errorf("%s: %v is left", name, files)
		}
		return out
	}
	s := open(t, dst, nil)
	page := must[engine.Page](t)(s.List(t.Context(), engine.Query{Limit: 1000, Values: true}))
	got := map[string]bool{}
	for _, item := range page.Items {
		got[item.Key] = true
		want, known := v.values[item.Key]
		if !exact && (doubt[item.Key] || allDoubtful) {
			continue
		}
		if !known || !bytes.Equal(item.Value, want) {
			t.Errorf("%s: %q came back as %d bytes, want %d", name, item.Key, len(item.Value), len(want))
		}
		if e := v.entries[item.Key]; known && exact && !doubt[item.Key] && (e.Meta.Tag != item.Meta.Tag || !e.Meta.ModTime.Equal(item.Meta.ModTime) || !maps.Equal(e.Meta.User, item.Meta.User) || e.Meta.ContentType != item.Meta.ContentType) {
			t.Errorf("%s: %q came back with %+v, want %+v", name, item.Key, item.Meta, e.Meta)
		}
	}
	for key := range v.values {
		if got[key] && lost[key] {
			t.Errorf("%s: %q is there, and told lost", name, key)
		}
		if !got[key] && !lost[key] && out.ranges == 0 {
			t.Errorf("%s: %q is missing, and nothing says so", name, key)
		}
	}
	for name2, want := range v.arrays {
		back, err := getArray(t, s, name2, exact)
		switch {
		case err == nil && exact && !bytes.Equal(back, want):
			t.Errorf("%s: %s came back as other bytes", name, name2)
		case err != nil && !columns[name2] && len(columns) == 0 && out.ranges == 0:
			t.Errorf("%s: %s is missing, and nothing says so: %v", name, name2, err)
		case err == nil:
			out.arrays++
		}
	}
	if err := s.Check(t.Context(), func(p engine.Problem) { t.Errorf("%s: %+v", name, p) }, nil); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	out.report = *report
	if report.Keys != int64(len(got)) || report.Doubts != int64(out.doubts) || report.Losses != int64(len(losses)) || allDoubtful && report.Unconfirmed == 0 {
		t.Errorf("%s: %+v of %d keys, %d losses, %d doubts", name, report, len(got), len(losses), out.doubts)
	}
	out.keys, out.lost, out.lostNames = len(got), len(v.values)-len(got), len(lost)
	if t.Failed() {
		for _, l := range losses {
			t.Log(l)
		}
		t.FailNow()
	}
	return out
}

func TestSalvageSound(t *testing.T) {
	t.Parallel()
	for _, page := range []int{512, 4096, 32768, 65536} {
		v := makeOriginal(t, sqlite.Options{PageSize: page, OneRowLimit: 20000})
		out := v.salvage(t, fmt.Sprint(page), true, func(data []byte) []byte { return data })
		if out.keys != len(v.values) || out.arrays != len(v.arrays) || out.report.Losses+out.report.Unconfirmed > 0 || out.failed != nil {
			t.Errorf("pages of %d: %+v of %d values", page, out, len(v.values))
		}
	}
}

// tally adds up what came of many salvages.
type tally struct {
	files, failed, values, lost, arrays, lostArrays, worst int
}

func (s *tally) add(v *original, out outcome) {
	s.files++
	if out.failed != nil {
		s.failed++
		return
	}
	s.values += len(v.values)
	s.lost += out.lost
	s.arrays += len(v.arrays)
	s.lostArrays += len(v.arrays) - out.arrays
	s.worst = max(s.worst, out.lost)
}

func (s *tally) log(t *testing.T) {
	t.Helper()
	t.Logf("%d files, of which %d held nothing to be found; of %d values %d were lost, at most %d of one file; of %d columns %d",
		s.files, s.failed, s.values, s.lost, s.worst, s.arrays, s.lostArrays)
}

// Each page in turn is overwritten with zeros. Whatever page it is, only the rows on it are lost.
func TestSalvageZeroedPage(t *testing.T) {
	t.Parallel()
	for _, tables := range [][]string{nil, {sqlite.Layout1}} {
		v := makeOriginal(t, sqlite.Options{PageSize: 1024, OneRowLimit: 3000}, tables...)
		var sum tally
		pages := len(v.data) / v.page
		for no := 0; no < pages; no += stride(pages) {
			sum.add(v, v.salvage(t, fmt.Sprintf("%v, page %d", tables, no+1), true, func(data []byte) []byte {
				clear(data[no*v.page : (no+1)*v.page])
				return data
			}))
		}
		sum.log(t)
		if sum.failed > 0 || sum.worst > 20 {
			t.Errorf("one page of %d took too much", pages)
		}
	}
}

// stride leaves out some of n cases, unless all are asked for; the first two pages are among those
// that stay.
func stride(n int) int {
	return sqlite.Amount(1+n/6, 1)
}

// The file ends early, at a bound of pages or inside one.
func TestSalvageTruncated(t *testing.T) {
	t.Parallel()
	v := makeOriginal(t, sqlite.Options{PageSize: 1024, OneRowLimit: 3000})
	var sum tally
	for n := 0; n < len(v.data); n += 700 * stride(len(v.data)/700) {
		sum.add(v, v.salvage(t, fmt.Sprintf("%d bytes", n), true, func(data []byte) []byte { return data[:n] }))
	}
	sum.log(t)
}

// Bits are flipped: in one page, or all over the file.
func TestSalvageFlippedBits(t *testing.T) {
	t.Parallel()
	rounds := sqlite.Amount(4, 500)
	for _, page := range []int{512, 4096} {
		v := makeOriginal(t, sqlite.Options{PageSize: page, OneRowLimit: 3000}, map[int][]string{512: {sqlite.Layout1}}[page]...)
		for _, spread := range []bool{false, true} {
			var sum tally
			for round := range rounds {
				r := rand.New(rand.NewPCG(uint64(round), uint64(page)))
				sum.add(v, v.salvage(t, fmt.Sprintf("pages of %d, spread %v, round %d", page, spread, round), false, func(data []byte) []byte {
					part := data
					if !spread {
						no := r.IntN(len(data) / page)
						part = data[no*page : (no+1)*page]
					}
					for range 1 + r.IntN(1<<r.IntN(9)) {
						part[r.IntN(len(part))] ^= 1 << r.IntN(8)
					}
					return data
				}))
			}
			sum.log(t)
		}
	}
}
