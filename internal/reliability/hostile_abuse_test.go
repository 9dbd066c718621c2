package reliability

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path/filepath"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// abuse makes every call there is on a file that may be anything. Errors are what it is for; they
// must be of the kinds that the package documents.
type abuse struct {
	ctx  context.Context
	path string
	odd  []error
}

// known are the kinds of error that a caller can tell apart.
var known = []error{kvault.ErrNotFound, kvault.ErrExists, kvault.ErrBusy, kvault.ErrInvalid, kvault.ErrClosed, kvault.ErrReadOnly,
	kvault.ErrCorrupt, kvault.ErrTooLarge, kvault.ErrTagMismatch, kvault.ErrNoVault, kvault.ErrUnsupported, kvault.ErrTxDone, column.ErrRange,
	context.DeadlineExceeded, io.EOF, fs.ErrInvalid, fs.ErrNotExist}

// note takes an error that may be joined of several.
func (a *abuse) note(what string, err error) {
	var io *kvault.IOError
	var typ *column.TypeError
	if err == nil || errors.As(err, &io) || errors.As(err, &typ) {
		return
	}
	for _, k := range known {
		if errors.Is(err, k) {
			return
		}
	}
	a.odd = append(a.odd, fmt.Errorf("%s: %w", what, err))
}

const someLimit = 30

// some is the first of a sequence.
func some[T any](a *abuse, what string, all iter.Seq2[T, error]) (list []T) {
	for x, err := range all {
		a.note(what, err)
		if err != nil || len(list) == someLimit {
			break
		}
		list = append(list, x)
	}
	return list
}

// reading makes the calls that change nothing.
func (a *abuse) reading(v *kvault.Vault) (keys []string) {
	_, err := v.Len(a.ctx)
	a.note("len", err)
	keys = some(a, "keys", v.Keys(a.ctx, nil))
	some(a, "reverse", v.List(a.ctx, &kvault.ListOptions{Reverse: true, Delimiter: "/"}))
	some(a, "items", v.Items(a.ctx, nil))
	for _, key := range keys {
		a.readKey(v, key)
	}
	_, err = v.GetMany(a.ctx, keys...)
	a.note("get many", err)
	_, err = v.Stats(a.ctx)
	a.note("stats", err)
	a.note("walk", fs.WalkDir(v.FS(a.ctx), ".", func(string, fs.DirEntry, error) error { return a.ctx.Err() }))
	list, err := column.List(a.ctx, v)
	a.note("columns", err)
	for _, info := range list[:min(len(list), someLimit)] {
		a.readColumn(v, info.Name)
	}
	return keys
}

func (a *abuse) readKey(v *kvault.Vault, key string) {
	_, err := v.Get(a.ctx, key)
	a.note("get", err)
	_, err = v.Stat(a.ctx, key)
	a.note("stat", err)
	_, err = v.Tag(a.ctx, key)
	a.note("tag", err)
	_, err = v.GetTo(a.ctx, key, io.Discard)
	a.note("copy", err)
	_, err = v.GetRange(a.ctx, key, 0, -1)
	a.note("get range", err)
	_, err = fs.ReadFile(v.FS(a.ctx), key)
	a.note("read file", err)
	_, err = v.GetRange(a.ctx, key, 0, 10)
	a.note("get range", err)
	r, err := v.NewReader(a.ctx, key)
	if a.note("reader", err); err != nil {
		return
	}
	_, err = r.ReadAt(make([]byte, 10), max(0, r.Size()-5))
	a.note("read at", err)
	a.note("close reader", r.Close())
}

func (a *abuse) readColumn(v *kvault.Vault, name string) {
	d, err := column.OpenAny(a.ctx, v, name)
	a.note("open column", err)
	switch c := d.(type) {
	case *column.Column[int64]:
		readAnyColumn(a, c)
	case *column.Column[float64]:
		readAnyColumn(a, c)
	case *column.Column[string]:
		readAnyColumn(a, c)
	case *column.Column[[]byte]:
		readAnyColumn(a, c)
	}
}

func readAnyColumn[T any](a *abuse, c *column.Column[T]) {
	n, err := c.Len(a.ctx)
	a.note("column length", err)
	for _, i := range []int64{0, 1, -1, n / 2} {
		_, err := c.Get(a.ctx, i)
		a.note("element", err)
	}
	_, err = c.Slice(a.ctx, 0, 3)
	a.note("slice", err)
	_, err = c.Pick(a.ctx, []int64{0, n - 1})
	a.note("pick", err)
	some(a, "elements", c.All(a.ctx))
}

// writing makes the calls that change something.
func (a *abuse) writing(v *kvault.Vault, keys []string) {
	large := bytes.NewReader(make([]byte, 100_000))
	for _, key := range append(keys[:min(len(keys), 5)], "new") {
		_, err := v.PutReader(a.ctx, key, io.MultiReader(large), nil)
		a.note("stream", err)
		putErr := v.Put(a.ctx, key, []byte("value"))
		a.note("put", putErr)
		got, err := v.Get(a.ctx, key)
		if a.note("get", err); putErr == nil && (err != nil || string(got) != "value") {
			a.odd = append(a.odd, fmt.Errorf("%q holds %.20q after a put that reported no error", key, got))
		}
		a.note("rename", v.Rename(a.ctx, key, key+" renamed", nil))
		_, _, err = v.SetDefault(a.ctx, key, nil)
		a.note("set default", err)
		_, err = v.Delete(a.ctx, key+" renamed")
		a.note("delete", err)
		_, err = v.Pop(a.ctx, key)
		a.note("pop", err)
	}
	list, _ := column.List(a.ctx, v)
	for _, info := range list[:min(len(list), someLimit)] {
		a.writeColumn(v, info.Name)
	}
	_, err := column.Ensure(a.ctx, v, "new", column.String, nil)
	a.note("create column", err)
	a.note("cache", v.WithCache(a.ctx, nil, func() error { return v.Put(a.ctx, "cached", nil) }))
}

func (a *abuse) writeColumn(v *kvault.Vault, name string) {
	d, _ := column.OpenAny(a.ctx, v, name)
	switch c := d.(type) {
	case *column.Column[int64]:
		writeAnyColumn(a, c, 7)
	case *column.Column[float64]:
		writeAnyColumn(a, c, 0.5)
	case *column.Column[string]:
		writeAnyColumn(a, c, "text")
	case *column.Column[[]byte]:
		writeAnyColumn(a, c, []byte("b"))
	}
	_, err := column.Migrate(a.ctx, v, name)
	a.note("migrate", err)
	a.note("rename column", column.Rename(a.ctx, v, name, name+"2"))
	a.note("drop", column.Drop(a.ctx, v, name+"2"))
}

func writeAnyColumn[T any](a *abuse, c *column.Column[T], x T) {
	a.note("append", c.Append(a.ctx, x))
	a.note("extend", c.Extend(a.ctx, []T{x, x, x}))
	a.note("set", c.Set(a.ctx, 0, x))
	a.note("insert", c.Insert(a.ctx, 1, x))
	a.note("delete element", c.Delete(a.ctx, 0))
	a.note("compact", c.Compact(a.ctx))
	a.note("clear", c.Clear(a.ctx))
	a.note("append", c.Append(a.ctx, x))
}

// maintaining makes the calls that go through everything.
func (a *abuse) maintaining(v *kvault.Vault) {
	_, err := v.Check(a.ctx, nil)
	a.note("check", err)
	a.note("backup", v.Backup(a.ctx, a.path+".copy", nil))
	_, err = v.Shrink(a.ctx, time.Second)
	a.note("shrink", err)
	a.note("optimize", v.Optimize(a.ctx, nil))
}

// run makes all calls, table by table.
func (a *abuse) run(tables ...string) error {
	_, err := kvault.Salvage(a.ctx, a.path, a.path+".saved", nil)
	a.note("salvage", err)
	for _, o := range []kvault.Options{{ReadOnly: true}, {OneRowLimit: 50_000, ChunkSize: 20_000}} {
		for _, table := range append(tables, "") {
			o.Table = table
			v, err := kvault.Open(a.ctx, a.path, &o)
			if a.note("open", err); err != nil {
				continue
			}
			keys := a.reading(v)
			_, err = v.Check(a.ctx, nil)
			a.note("check", err)
			if !o.ReadOnly {
				a.writing(v, keys)
				a.maintaining(v)
			}
			a.note("close", v.Close())
		}
	}
	if left, _ := filepath.Glob(a.path + "*.partial*"); len(left) > 0 {
		a.odd = append(a.odd, fmt.Errorf("left behind: %q", left))
	}
	return errors.Join(a.odd...)
}
