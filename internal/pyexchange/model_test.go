//go:build python

package pyexchange

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault"
)

// values is the model of a key-value table.
type values map[string][]byte

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// ours compares all that is read here with the model, by all ways of reading.
func (m values) ours(t *testing.T, v *kvault.Vault) {
	t.Helper()
	ctx := t.Context()
	if n, err := v.Len(ctx); err != nil || n != int64(len(m)) {
		t.Fatalf("Len here: %d, %v; want %d", n, err, len(m))
	}
	want := slices.Sorted(maps.Keys(m))
	var got []string
	for item, err := range v.Items(ctx, nil) {
		must(t, err)
		got = append(got, item.Key)
		if !bytes.Equal(item.Value, m[item.Key]) {
			t.Fatalf("%q here: %d bytes, want %d: %.80x", item.Key, len(item.Value), len(m[item.Key]), item.Value)
		}
		one, err := v.Get(ctx, item.Key)
		must(t, err)
		if !bytes.Equal(one, item.Value) {
			t.Fatalf("%q: Get and Items differ", item.Key)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("keys here (-want +got):\n%s", diff)
	}
}

// theirs compares all that the package reads with the model.
func (m values) theirs(t *testing.T, d *driver) {
	t.Helper()
	var got struct {
		Len  int
		Rows map[string]string
	}
	d.do(t, "dump", nil, &got)
	want := map[string]string{}
	for k, x := range m {
		want[base64.StdEncoding.EncodeToString([]byte(k))] = digest(x)
	}
	if got.Len != len(m) {
		t.Fatalf("len() there: %d, want %d", got.Len, len(m))
	}
	if diff := cmp.Diff(want, got.Rows); diff != "" {
		t.Fatalf("values there (-want +got):\n%s", diff)
	}
}

// source makes keys and values of awkward kinds.
type source struct {
	*rand.Rand
	pageSize int
}

func (r source) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func (r source) pick(n ...int) int { return n[r.IntN(len(n))] }

// key is one of not too many, so that some are met again.
func (r source) key() string {
	n := r.IntN(12)
	switch r.IntN(8) {
	case 0:
		return fmt.Sprintf("text/%d.txt", n)
	case 1:
		return string([]byte{0, byte(n), 0})
	case 2:
		return string(bytes.Repeat([]byte{0xFF}, n+1))
	case 3:
		return "ключ \U0001F511" + string(rune('a'+n))
	case 4:
		return string([]byte{0xC3, 0x28, 0x80, byte(n)}) // no UTF-8
	case 5:
		return string(bytes.Repeat([]byte{'k'}, r.pageSize-30+n*5)) // over the edge of a page
	case 6:
		return "'; DROP TABLE kv; --" + string(rune('a'+n))
	}
	return "prefix" + string(bytes.Repeat([]byte{0xFF}, n%3)) + string([]byte{byte(n)})
}

// value has a length that matters to one side or the other.
func (r source) value() []byte {
	around := func(n int) int { return max(0, n-3+r.IntN(7)) }
	switch r.IntN(9) {
	case 0:
		return []byte{}
	case 1:
		return r.bytes(r.IntN(20))
	case 2:
		return r.bytes(around(r.pageSize))
	case 3:
		return r.bytes(around(r.pageSize * r.pick(2, 3, 10)))
	case 4:
		return r.bytes(around(r.pick(42, 1024, 4096, 65536)))
	case 5:
		return append([]byte{0x89, 0x4B}, r.bytes(r.pick(0, 1, 7, 8, 40, 1000))...)
	case 6:
		return append([]byte{0x89, 0x4B, 1, byte(r.IntN(9)), 0, 0, 0, 0, 0x56, 0x4B}, r.bytes(r.pick(0, 1, 8, 32, 100))...)
	case 7:
		return bytes.Repeat([]byte{0}, around(1000))
	}
	if r.IntN(6) == 0 {
		return r.bytes(around(1 << 20)) // the size of a chunk
	}
	return r.bytes(r.IntN(3000))
}

// changeHere makes n changes through this package.
func (m values) changeHere(ctx context.Context, r source, v *kvault.Vault, n int) error {
	for range n {
		key, value := r.key(), r.value()
		var err error
		switch r.IntN(10) {
		case 0:
			_, err = v.Delete(ctx, key)
			delete(m, key)
			if err != nil {
				return err
			}
			continue
		case 1:
			if _, there := m[key]; !there {
				continue
			}
			err = v.Rename(ctx, key, key+"~", nil)
			value = m[key]
			delete(m, key)
			key += "~"
		case 2:
			_, err = v.PutReader(ctx, key, bytes.NewReader(value), &kvault.PutOptions{ChunkSize: 1000})
		case 3:
			err = v.WithCache(ctx, nil, func() error { return v.Put(ctx, key, value) })
		default:
			err = v.Put(ctx, key, value)
		}
		if err != nil {
			return err
		}
		m[key] = value
	}
	return nil
}

// changeThere makes n changes through the package.
func (m values) changeThere(t *testing.T, r source, v *version, d *driver, n int, file func([]byte) string) {
	t.Helper()
	for range n {
		key, value := r.key(), r.value()
		what := r.IntN(8)
		switch {
		case what == 0:
			var there bool
			d.do(t, "delete", args{"key": []byte(key)}, &there)
			if _, want := m[key]; there != want {
				t.Fatalf("delete %q there: %v, want %v", key, there, want)
			}
			delete(m, key)
			continue
		case what == 1 && !v.noStreams:
			d.do(t, "put_file", args{"key": []byte(key), "path": file(value)}, nil)
		default:
			d.do(t, "put", args{"key": []byte(key), "value": value}, nil)
		}
		m[key] = value
	}
}
