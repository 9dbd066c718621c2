package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/fastread"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/faultfs"
)

// A read that fails is an error or is made good for, never wrong bytes.
func TestFastReadsWithFaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	s := openFast(t, path, Options{})
	for i := range 3000 {
		putFast(t, s, fmt.Sprintf("%04d", i), pattern(uint64(i), 100+i%20*1000))
	}
	s.Close()
	for _, forever := range []bool{false, true} {
		fired := true
		for f := (faultfs.Fault{Op: faultfs.Read, Nth: 1, Forever: forever}); fired; f.Nth += 1 + f.Nth/8 {
			s := openFast(t, path, Options{vfs: "kvault-faulty"}) // with nothing in its memory
			if got := s.readsFast(); got != canTell(s) {
				t.Fatal("this file system keeps fast reads off")
			}
			faulty.Arm(f)
			for i := 0; i < 3000; i += 100 {
				got, err := s.Get(context.Background(), fmt.Sprintf("%04d", i))
				if err == nil && !bytes.Equal(got, pattern(uint64(i), 100+i%20*1000)) {
					t.Fatalf("with fault %+v: wrong bytes", f)
				}
			}
			keys, _, err := s.AppendKeys(context.Background(), nil, engine.Query{Limit: 5000})
			if fired = faulty.Disarm(); err == nil && len(keys) != 3000 || err != nil && !fired {
				t.Fatalf("with fault %+v: %d keys, %v", f, len(keys), err)
			}
			s.Close()
		}
	}
}

// FuzzFastRead reads a file of which some bytes are others: anything may come out of it, but an
// end.
func FuzzFastRead(f *testing.F) {
	path := filepath.Join(f.TempDir(), "v.db")
	s, err := Open(context.Background(), path, &Options{PageSize: 512, DisableWAL: true})
	if err != nil {
		f.Fatal(err)
	}
	var ops []engine.Op
	for i := range 400 {
		ops = append(ops, engine.Op{Kind: engine.Put, Key: fuzzedKey(i), Value: pattern(uint64(i), i*i%3000)})
	}
	if _, err := s.Apply(context.Background(), ops); err != nil {
		f.Fatal(err)
	}
	var at *fastSchema
	err = s.read(context.Background(), s.reads, false, func(ses *session) (err error) {
		at, err = ses.fastSchema()
		return err
	})
	if err = errors.Join(err, s.Close()); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add([]byte{0, 0, 9, 200, 1, 0, 3, 4, 2, 7, 255, 255})
	f.Fuzz(func(t *testing.T, changes []byte) {
		file := bytes.Clone(whole)
		for ; len(changes) >= 4; changes = changes[4:] { // a page, an offset and a byte
			no, off := int(changes[0])<<8|int(changes[1]), int(changes[2])*2+int(changes[3])%2
			file[(no*512+off)%len(file)] = changes[3]
		}
		readAnything(file, at)
	})
}

func fuzzedKey(i int) string { return fmt.Sprint(i) + strings.Repeat("k", i%9*(i%9)) }

func readAnything(file []byte, at *fastSchema) {
	pages, err := fastread.NewPages(bytes.NewReader(file), 64<<10)
	if err != nil {
		return
	}
	r := fastReader{Reader: pages.Reader(bytes.NewReader(file)), fastSnapshot: &fastSnapshot{schema: at}}
	defer r.Close()
	for i := range 400 {
		key := []byte(fuzzedKey(i))
		id, found, err := r.FindKey(at.keys, key)
		if err != nil || !found {
			continue
		}
		if v, _, _, err := r.findValue(key, id); err == nil && v.Size < smallBytes {
			_, _ = r.Start(v, make([]byte, v.Size))
		}
	}
	for _, reverse := range []bool{false, true} {
		_, _, _ = r.AppendKeys(nil, at.keys, fastread.KeyRange{Reverse: reverse}, 1000)
		_, _, _ = r.AppendKeys(nil, at.keys, fastread.KeyRange{Start: []byte("2"), End: []byte("30k"), Reverse: reverse}, 1000)
	}
}
