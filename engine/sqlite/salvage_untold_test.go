package sqlite_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
	"github.com/kohakuvault/kvault/internal/race"
)

// wrongVault is a vault in which every value is wrong, and its checksum is not.
// The SQL makes its table, if it is not to be one of layout 2.
func wrongVault(t *testing.T, sql string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v.kv")
	if sql != "" {
		foreign(t, path, fmt.Sprintf(`PRAGMA page_size=%d`, keyPage), sql)
	}
	s := open(t, path, &sqlite.Options{PageSize: keyPage})
	for _, key := range numbered(150) {
		put(t, s, key, valueOf(key))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data := must[[]byte](t)(os.ReadFile(path))
	return bytes.ReplaceAll(data, []byte("value of it"), []byte("value oF it"))
}

// wantTold salvages data, and fails if a value came back that is not what it was and nothing says
// so. It returns how many values came back.
func wantTold(t *testing.T, name string, data []byte) int {
	t.Helper()
	dir := t.TempDir()
	src, dst := filepath.Join(dir, "hurt.kv"), filepath.Join(dir, "new.kv")
	write(t, src, data)
	told, all := map[string]bool{}, false
	_, err := sqlite.Salvage(t.Context(), src, dst, &sqlite.SalvageOptions{OnLoss: func(l engine.Loss) {
		told[l.Key] = told[l.Key] || l.Copied
		all = all || l.Copied && l.Key == "" && l.Column == ""
	}})
	if err != nil {
		return 0
	}
	s := open(t, dst, nil)
	defer s.Close()
	items := must[engine.Page](t)(s.List(t.Context(), engine.Query{Limit: 1000, Values: true})).Items
	for _, item := range items {
		if !bytes.Equal(item.Value, valueOf(item.Key)) && !told[item.Key] && !all {
			t.Errorf("%s: %q came back as %q, and nothing says so", name, item.Key, item.Value)
		}
	}
	return len(items)
}

// In a vault where every value is wrong, whatever else is damaged that could hide a checksum, no
// value comes back without being named. Each page is overwritten with each other, as by a write
// that went astray, and each byte of the headers of pages is altered.
func TestSalvageWrongAndUntold(t *testing.T) {
	t.Parallel()
	one := sqlite.Amount(200*race.Slowdown, 5) // in so many cases is tried
	for layout, sql := range map[string]string{"layout 2": "", "layout 1": sqlite.Layout1,
		"by key": `CREATE TABLE kvault(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)`} {
		t.Run(layout, func(t *testing.T) {
			wrong := wrongVault(t, sql)
			if n := wantTold(t, "whole", wrong); n != 0 {
				t.Errorf("%d values came back with checksums that are not theirs", n)
			}
			pages := len(wrong) / keyPage
			back, tried := 0, 0
			r := rand.New(rand.NewPCG(1, 2))
			try := func(name string, hurt func(data []byte)) {
				if r.IntN(one) > 0 {
					return
				}
				tried++
				data := bytes.Clone(wrong)
				hurt(data)
				back += wantTold(t, name, data)
			}
			for a := range pages {
				for b := range pages {
					if page := wrong[b*keyPage:][:keyPage]; a != b {
						try(fmt.Sprintf("page %d is a copy of page %d", a+1, b+1), func(data []byte) { copy(data[a*keyPage:], page) })
					}
				}
				head := a * keyPage
				if a == 0 {
					head = 100
				}
				for i := range 12 {
					for _, b := range []byte{0, 1, 2, 5, 10, 13, 64, 255} {
						try(fmt.Sprintf("byte %d of page %d is %d", i, a+1, b), func(data []byte) { data[head+i] = b })
					}
				}
			}
			if back == 0 && sql != "" {
				t.Error("no damage hid a checksum")
			}
			t.Logf("%d files: %d values came back, all of them named", tried, back)
		})
	}
}

// If the schema is lost while a table of layout 1 has a copy, the values of the table come back; it
// is told that those may be older which only the copy has.
func TestSalvageInterruptedUpgrade(t *testing.T) {
	dir := t.TempDir()
	path, src, dst := filepath.Join(dir, "v.kv"), filepath.Join(dir, "hurt.kv"), filepath.Join(dir, "new.kv")
	s := openLayout1(t, path, nil)
	keys := numbered(50)
	for _, key := range keys {
		put(t, s, key, []byte("old"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Optimize(ctx, func(int64, int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for _, key := range keys[1:] {
		put(t, s, key, valueOf(key))
	}
	if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Delete, Key: keys[0]}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data := must[[]byte](t)(os.ReadFile(path))
	clear(data[:4096]) // of the schema
	writeFile(t, src, data)
	told := false
	_, err := sqlite.Salvage(t.Context(), src, dst, &sqlite.SalvageOptions{OnLoss: func(l engine.Loss) {
		told = told || l.Copied && l.Key == "" && strings.Contains(l.Err.Error(), "twice")
	}})
	if err != nil {
		t.Fatal(err)
	}
	back := entries(t, open(t, dst, nil))
	for _, key := range keys[1:] {
		if got := back[key].Value; !bytes.Equal(got, valueOf(key)) {
			t.Errorf("%s came back as %q", key, got)
		}
	}
	if _, there := back[keys[0]]; there && !told {
		t.Errorf("%s, which was deleted, came back, and nothing says so", keys[0])
	}
}

// kids are the pages under an interior page of a table, and the last row id of each.
func kids(data []byte, no int) (pages []int, last []int64) {
	p := data[(no-1)*keyPage:][:keyPage]
	for i := range int(binary.BigEndian.Uint16(p[3:])) {
		at := int(binary.BigEndian.Uint16(p[12+2*i:]))
		id, _ := binary.Uvarint(p[at+4:]) // of one byte
		pages, last = append(pages, int(binary.BigEndian.Uint32(p[at:]))), append(last, int64(id))
	}
	return pages, last
}

// The page of the metadata, and of the rows, is overwritten with an earlier one: the last row of it
// is missed as all others are.
func TestSalvageLastRowOfLeaf(t *testing.T) {
	t.Parallel()
	wrong := wrongVault(t, sqlite.Layout1)
	for no := 2; no <= len(wrong)/keyPage; no++ {
		if wrong[(no-1)*keyPage] != tableInner {
			continue
		}
		pages, last := kids(wrong, no)
		for i := 1; i < len(pages); i++ {
			if last[i] > 127 {
				break
			}
			data := bytes.Clone(wrong)
			copy(data[(pages[i]-1)*keyPage:][:keyPage], wrong[(pages[i-1]-1)*keyPage:])
			name := fmt.Sprintf("page %d, up to row %d", pages[i], last[i])
			wantTold(t, name, data)
			// Nothing is lost in silence either.
			_, _, losses := salvageBytes(t, data)
			lastKey := fmt.Sprintf("key%03d", last[i]-1)
			named := false
			for _, l := range losses {
				named = named || l.Key == lastKey
			}
			if !named {
				t.Errorf("%s: %s is not named", name, lastKey)
			}
		}
	}
}
