//go:build python

package pyexchange

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// bounds are such as are met often, and the usual ones. The first two are whole entries of an
// index: for others the package's versions from
// 0.4 on lose elements by themselves, see TestFaultsOfTheIndex.
var bounds = []column.Options{{MinChunk: 60, MaxChunk: 240}, {MinChunk: 120, MaxChunk: 960}, {}}

// list is the model of a column: its elements as the file holds them.
type list struct {
	name, typ string
	items     [][]byte
	item      func(r source) []byte
	// here opens the column through this package.
	here func(ctx context.Context, v *kvault.Vault) (hereColumn, error)
	make func(ctx context.Context, v *kvault.Vault, o *column.Options) error
}

func (l *list) variable() bool { return l.typ == "bytes" || strings.HasPrefix(l.typ, "str") }

// hereColumn is a column of any type, with elements as the file holds them.
type hereColumn interface {
	all(ctx context.Context) ([][]byte, error)
	extend(ctx context.Context, items [][]byte) error
	set(ctx context.Context, i int, item []byte) error
	insert(ctx context.Context, i int, item []byte) error
	remove(ctx context.Context, i int) error
	clear(ctx context.Context) error
	compact(ctx context.Context) error
}

type encoded[T any] struct {
	c     *column.Column[T]
	codec column.Codec[T]
}

func (e encoded[T]) of(items ...[]byte) (xs []T, err error) {
	for _, b := range items {
		x, err := e.codec.Decode(b)
		if err != nil {
			return nil, err
		}
		xs = append(xs, x)
	}
	return xs, nil
}

func (e encoded[T]) all(ctx context.Context) ([][]byte, error) {
	var items [][]byte
	for x, err := range e.c.All(ctx) {
		if err != nil {
			return nil, err
		}
		b, err := e.codec.Append([]byte{}, x)
		if err != nil {
			return nil, err
		}
		items = append(items, b)
	}
	return items, nil
}

func (e encoded[T]) extend(ctx context.Context, items [][]byte) error {
	xs, err := e.of(items...)
	if err != nil {
		return err
	}
	return e.c.Extend(ctx, xs)
}

func (e encoded[T]) with(item []byte, do func(x T) error) error {
	xs, err := e.of(item)
	if err != nil {
		return err
	}
	return do(xs[0])
}

func (e encoded[T]) set(ctx context.Context, i int, item []byte) error {
	return e.with(item, func(x T) error { return e.c.Set(ctx, int64(i), x) })
}

func (e encoded[T]) insert(ctx context.Context, i int, item []byte) error {
	return e.with(item, func(x T) error { return e.c.Insert(ctx, int64(i), x) })
}

func (e encoded[T]) remove(ctx context.Context, i int) error { return e.c.Delete(ctx, int64(i)) }
func (e encoded[T]) clear(ctx context.Context) error         { return e.c.Clear(ctx) }
func (e encoded[T]) compact(ctx context.Context) error       { return e.c.Compact(ctx) }

func listOf[T any](name string, codec column.Codec[T], item func(r source) []byte) *list {
	return &list{name: name, typ: codec.Type(), item: item,
		here: func(ctx context.Context, v *kvault.Vault) (hereColumn, error) {
			c, err := column.Open(ctx, v, name, codec)
			return encoded[T]{c, codec}, err
		},
		make: func(ctx context.Context, v *kvault.Vault, o *column.Options) error {
			_, err := column.Create(ctx, v, name, codec, o)
			return err
		}}
}

// lists are columns of all types that both sides know.
func lists(v *version) []*list {
	number := func(r source) []byte { return binary.LittleEndian.AppendUint64(nil, r.Uint64()) }
	blob := func(r source) []byte {
		return r.bytes(r.pick(0, 1, 2, 7, 30, r.IntN(200), r.pick(60, 255, 256, 257, 1500)))
	}
	all := []*list{
		listOf("numbers", column.Int64, number),
		listOf("measures", column.Float64, func(r source) []byte {
			return binary.LittleEndian.AppendUint64(nil, math.Float64bits(r.NormFloat64()*math.Pow(10, float64(r.IntN(300)))))
		}),
		listOf("seven", column.FixedBytes(7), func(r source) []byte { return r.bytes(7) }),
		listOf("blobs", column.Bytes, blob),
		listOf("flags", column.Bool, func(r source) []byte { return []byte{byte(r.IntN(2))} }),
	}
	if !v.joined {
		all = append(all, listOf("texts", column.String, func(r source) []byte {
			return []byte(strings.Repeat("ä\U0001F511\x00z", r.IntN(20)))
		}), listOf("days", column.Date, func(r source) []byte {
			return binary.LittleEndian.AppendUint64(nil, uint64(r.IntN(20_000)-10_000))
		}), listOf("moments", column.TimestampUTC(time.Microsecond), func(r source) []byte {
			return binary.LittleEndian.AppendUint64(nil, uint64(r.Int64N(1<<51)-1<<50))
		}))
	}
	return all
}

func (l *list) some(r source, most int) [][]byte {
	items := make([][]byte, 1+r.IntN(most))
	for i := range items {
		items[i] = l.item(r)
	}
	return items
}

func (l *list) sameHere(t *testing.T, v *kvault.Vault) {
	t.Helper()
	c, err := l.here(t.Context(), v)
	must(t, err)
	got, err := c.all(t.Context())
	must(t, err)
	l.same(t, "here", got)
}

func (l *list) sameThere(t *testing.T, d *driver) {
	t.Helper()
	var got [][]byte
	d.do(t, "column", args{"name": l.name, "dtype": l.typ}, &got)
	l.same(t, "there", got)
}

func (l *list) same(t *testing.T, where string, got [][]byte) {
	t.Helper()
	if len(got) != len(l.items) {
		t.Fatalf("%s %s: %d elements, want %d", l.name, where, len(got), len(l.items))
	}
	for i := range got {
		if !bytes.Equal(got[i], l.items[i]) {
			t.Fatalf("%s %s, element %d of %d: %x, want %x", l.name, where, i, len(got), got[i], l.items[i])
		}
	}
}

func TestColumns(t *testing.T) {
	eachVersion(t, func(t *testing.T, v *version) {
		if v.blocks {
			return // its columns are in tables of their own
		}
		for _, ours := range []bool{true, false} {
			for i, o := range bounds {
				maker := map[bool]string{true: "ours", false: "theirs"}[ours]
				for seed := range uint64(2) {
					if seed > 0 && o.MaxChunk == 0 {
						continue // large chunks take long, and few bounds are met
					}
					t.Run(fmt.Sprintf("%s/%d/%d", maker, i, seed), func(t *testing.T) { exchangeColumns(t, v, ours, &o, seed) })
				}
			}
		}
	})
}

func exchangeColumns(t *testing.T, v *version, ours bool, o *column.Options, seed uint64) {
	path, d := newPath(t), v.start(t)
	r := source{rand.New(rand.NewPCG(seed, uint64(o.MaxChunk))), 4096}
	columns := lists(v)
	for turn := range 2 * turns {
		if ours == (turn%2 == 0) {
			vault, err := kvault.Open(t.Context(), path, &kvault.Options{Table: "kvault", PageSize: 4096})
			must(t, err)
			if turn == 1 { // in a file of 0.2 this adds columns to its tables
				_, err := column.Create(t.Context(), vault, "one more", column.Int64, nil)
				must(t, err)
			}
			for _, l := range columns {
				if turn == 0 {
					if v.joined && l.variable() {
						continue // such as this package makes are not known there
					}
					must(t, l.make(t.Context(), vault, o))
				}
				if turn > 1 || turn == 0 || !v.joined || !l.variable() || !ours {
					l.changeHere(t, r, vault)
				}
			}
			check(t, vault, path)
			must(t, vault.Close())
			continue
		}
		d.do(t, "open", args{"path": path, "table": "kvault", "page_size": 4096}, nil)
		for _, l := range columns {
			if turn == 0 || turn == 1 && v.joined && l.variable() {
				if o.MaxChunk == 0 {
					d.do(t, "create", args{"name": l.name, "dtype": l.typ, "least": 128 << 10, "most": 16 << 20}, nil)
				} else {
					d.do(t, "create", args{"name": l.name, "dtype": l.typ, "least": o.MinChunk, "most": o.MaxChunk}, nil)
				}
			}
			l.changeThere(t, r, v, d, path)
		}
		d.do(t, "close", nil, nil)
	}
}

// changeHere compares a column, changes it, and compares again.
func (l *list) changeHere(t *testing.T, r source, v *kvault.Vault) {
	t.Helper()
	ctx := t.Context()
	l.sameHere(t, v)
	c, err := l.here(ctx, v)
	must(t, err)
	for range 12 {
		n := len(l.items)
		switch what := r.IntN(12); {
		case what < 3 && n > 0:
			i, item := r.IntN(n), l.item(r)
			must(t, c.set(ctx, i, item))
			l.items[i] = item
		case what < 6:
			i, item := r.IntN(n+1), l.item(r)
			must(t, c.insert(ctx, i, item))
			l.items = slices.Insert(l.items, i, item)
		case what < 8 && n > 0:
			i := r.IntN(n)
			must(t, c.remove(ctx, i))
			l.items = slices.Delete(l.items, i, i+1)
		case what == 8 && r.IntN(4) == 0:
			must(t, c.clear(ctx))
			l.items = nil
		case what == 9 && r.IntN(4) == 0:
			must(t, c.compact(ctx))
		default:
			items := l.some(r, 40)
			must(t, c.extend(ctx, items))
			l.items = append(l.items, items...)
		}
	}
	l.sameHere(t, v)
}

// changeThere is changeHere through the package.
func (l *list) changeThere(t *testing.T, r source, v *version, d *driver, path string) {
	t.Helper()
	d.do(t, "reopen_columns", nil, nil)
	l.sameThere(t, d)
	with := func(more args) args {
		more["name"], more["dtype"] = l.name, l.typ
		return more
	}
	inPlace := !l.variable() || !v.joined
	for range 12 {
		n := len(l.items)
		switch what := r.IntN(12); {
		case what < 3 && n > 0 && inPlace:
			i, item := r.IntN(n), l.item(r)
			if l.variable() && !l.canSet(t, path, i, len(item)) {
				continue
			}
			d.do(t, "set", with(args{"i": i, "item": item}), nil)
			l.items[i] = item
		case what < 6 && !l.variable():
			i, item := r.IntN(n+1), l.item(r)
			if i == n && l.surplus(t, path, v) || i < n && v.joined && l.full(t, path) {
				continue
			}
			d.do(t, "insert", with(args{"i": i, "item": item}), nil)
			l.items = slices.Insert(l.items, i, item)
		case what < 8 && n > 0 && inPlace:
			i := r.IntN(n)
			d.do(t, "remove", args{"name": l.name, "i": i}, nil)
			l.items = slices.Delete(l.items, i, i+1)
		case what == 8 && r.IntN(4) == 0:
			d.do(t, "clear_column", args{"name": l.name}, nil)
			l.items = nil
		default:
			if l.surplus(t, path, v) {
				continue
			}
			items := l.some(r, 40)
			if l.variable() && !v.joined && (r.IntN(2) == 0 || l.tooLong(t, path, items)) {
				items = items[:1+len(items)/8]
				for _, item := range items {
					d.do(t, "append", with(args{"item": item}), nil)
				}
			} else {
				d.do(t, "extend", with(args{"items": items}), nil)
			}
			l.items = append(l.items, items...)
		}
	}
	l.sameThere(t, d)
}

// surplus says whether chunks are left behind the last element. The package leaves them after
// removing elements, and cannot append then.
func (l *list) surplus(t *testing.T, path string, v *version) bool {
	t.Helper()
	names := fmt.Sprintf("'%s'", l.name)
	if l.variable() {
		names = fmt.Sprintf("'%s_idx'", l.name)
		if v.joined {
			names += fmt.Sprintf(", '%s_data'", l.name)
		}
	}
	return query(t, path, fmt.Sprintf(`SELECT count(*) FROM col_meta WHERE name IN (%s) AND
		(SELECT coalesce(max(chunk_idx), 0) FROM col_chunks WHERE col_id = col_meta.col_id) > length * elem_size / max_chunk_bytes`, names)) != "0"
}

// number is the result of a query about the column.
func (l *list) number(t *testing.T, path, sql string, a ...any) int {
	t.Helper()
	n, err := strconv.Atoi(query(t, path, fmt.Sprintf(sql, a...)))
	must(t, err)
	return n
}

// tooLong says whether an element is longer than a chunk may be. From 0.4 on extend cannot take
// such, though append can.
func (l *list) tooLong(t *testing.T, path string, items [][]byte) bool {
	t.Helper()
	most := l.number(t, path, `SELECT max_chunk_bytes FROM col_meta WHERE name = '%s_data'`, l.name)
	return slices.ContainsFunc(items, func(b []byte) bool { return len(b) > most })
}

// canSet says whether the package can set an element of differing size. One that becomes longer
// than its chunk has room for makes it write all elements of the chunk anew. That fails if they are
// more than twice what a chunk may be; and if they are more than one and a half times that, it has
// destroyed them by then.
func (l *list) canSet(t *testing.T, path string, i, size int) bool {
	t.Helper()
	most := l.number(t, path, `SELECT max_chunk_bytes FROM col_meta WHERE name = '%s_data'`, l.name)
	index, err := hex.DecodeString(strings.ReplaceAll(query(t, path, fmt.Sprintf(`SELECT hex(data) FROM col_chunks JOIN col_meta USING (col_id)
		WHERE name = '%s_idx' ORDER BY chunk_idx`, l.name)), "\n", ""))
	must(t, err)
	at := func(i int) (chunk, start, end int) {
		b := index[12*i:]
		return int(binary.LittleEndian.Uint32(b)), int(binary.LittleEndian.Uint32(b[4:])), int(binary.LittleEndian.Uint32(b[8:]))
	}
	chunk, start, end := at(i)
	more := size - (end - start)
	free := l.number(t, path, `SELECT actual_size - bytes_used FROM col_chunks JOIN col_meta USING (col_id) WHERE name = '%s_data' AND chunk_idx = %d`, l.name, chunk)
	if more <= free {
		return true
	}
	total := more
	for k := range l.items {
		if c, s, e := at(k); c == chunk {
			total += e - s
		}
	}
	return total <= most*3/2
}

// full says whether the chunks have no room for one more element. 0.2 makes none when it inserts:
// it fails halfway.
func (l *list) full(t *testing.T, path string) bool {
	t.Helper()
	return query(t, path, fmt.Sprintf(`SELECT (length + 1) * elem_size > (SELECT sum(actual_size) FROM col_chunks WHERE col_id = col_meta.col_id)
		FROM col_meta WHERE name = '%s'`, l.name)) != "0"
}
