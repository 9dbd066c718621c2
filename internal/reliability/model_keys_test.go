package reliability

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kohakuvault/kvault"
)

// modelKeys are few, so that they meet again, and odd.
var modelKeys = []string{"a", "a/b", "a/b/c", "a-b", "a\x00", "\x00", "\xff", "\xff\xff", "ключ", "b/" + strings.Repeat("long", 100), "c.txt"}

func (m *model) key(t *tape) string { return pick(t, modelKeys) }

// value makes a value whose length lies at some limit of the configuration.
func (m *model) value(t *tape) string {
	c := m.config
	limits := []int{0, 1, 42, 100, c.chunk, 2 * c.chunk, min(int(c.row), 2*c.chunk), c.page, 3 * c.chunk}
	n := max(0, pick(t, limits)+t.next(3)-1)
	m.values++
	p := make([]byte, min(n, 70_000))
	rand.NewChaCha8([32]byte{byte(m.values), byte(m.values >> 8)}).Read(p)
	return string(p)
}

var errSource = errors.New("the source fails")

func set(key, value string) func(*state) { return func(s *state) { s.values[key] = value } }

func unset(key string) func(*state) { return func(s *state) { delete(s.values, key) } }

// put makes a call that stores something.
func (m *model) put(h *handle, t *tape) {
	key, value := m.key(t), m.value(t)
	before := m.seen(h)
	switch t.next(8) {
	case 0, 1, 2:
		err := h.v.Put(m.ctx, key, []byte(value))
		m.cached(h, "put", err, set(key, value))
	case 3:
		other := m.key(t)
		err := h.v.PutAll(m.ctx, maps.All(map[string][]byte{key: []byte(value), other: []byte(value)}))
		m.cached(h, "put all", err, func(s *state) { s.values[key], s.values[other] = value, value })
	case 4:
		_, err := h.v.PutReader(m.ctx, key, io.MultiReader(strings.NewReader(value)), nil)
		m.cached(h, "stream", err, set(key, value))
	case 5:
		_, err := h.v.PutReader(m.ctx, key, io.MultiReader(strings.NewReader(value), failingReader{}), nil)
		m.wantErr("a source that fails", err, errSource)
	case 6:
		m.setDefault(h, key, value, before)
	case 7:
		m.putIf(h, t, key, value, before)
	}
}

// setDefault needs no flush for a key that is there in the cache.
func (m *model) setDefault(h *handle, key, value string, before *state) {
	want, there := before.values[key]
	got, existed, err := h.v.SetDefault(m.ctx, key, []byte(value))
	switch {
	case there && h.unlock != nil && errors.Is(err, kvault.ErrBusy):
		return
	case there:
		m.wantNil("set default", err)
	case !m.direct(h, "set default", err, nil, set(key, value)):
		return
	default:
		want = value
	}
	if existed != there || string(got) != want {
		m.failf("set default of %q: %d bytes, %t; want %t", key, len(got), existed, there)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errSource }

// putIf stores on a condition.
func (m *model) putIf(h *handle, t *tape, key, value string, before *state) {
	_, there := before.values[key]
	o := &kvault.PutOptions{IfAbsent: true}
	var want error
	if there {
		want = kvault.ErrExists
	}
	if !t.yes() {
		o = &kvault.PutOptions{IfTag: "0123456789abcdef"}
		if want = kvault.ErrNotFound; there {
			want = kvault.ErrTagMismatch
		}
		if tag, err := h.v.Tag(m.ctx, key); there && t.yes() {
			m.wantNil("tag", err)
			o.IfTag, want = tag, nil
		}
	}
	_, err := h.v.PutWith(m.ctx, key, []byte(value), o)
	m.direct(h, "put on a condition", err, want, set(key, value))
}

// remove makes a call that removes or moves something.
func (m *model) remove(h *handle, t *tape) {
	key := m.key(t)
	before := m.seen(h)
	old, there := before.values[key]
	var missing error
	if !there {
		missing = kvault.ErrNotFound
	}
	switch t.next(7) {
	case 0, 1, 2:
		found, err := h.v.Delete(m.ctx, key)
		change := unset(key)
		if !there {
			change = func(*state) {}
		}
		if err == nil && found != there {
			m.failf("delete of %q: %t, want %t", key, found, there)
		}
		if err != nil || there {
			m.cached(h, "delete", err, change)
		}
	case 3:
		value, err := h.v.Pop(m.ctx, key)
		if m.direct(h, "pop", err, missing, unset(key)) && string(value) != old {
			m.failf("pop of %q: %d bytes, want %d", key, len(value), len(old))
		}
	case 4:
		to := m.key(t)
		err := h.v.Rename(m.ctx, key, to, nil)
		m.direct(h, "rename", err, missing, func(s *state) {
			delete(s.values, key)
			s.values[to] = old
		})
	case 5:
		prefix := pick(t, []string{"a", "a/", "\xff", "nothing"})
		n, err := h.v.DeletePrefix(m.ctx, prefix)
		m.removed(h, "delete prefix", n, err, before, prefix)
	case 6:
		if t.next(4) > 0 {
			return
		}
		n, err := h.v.Clear(m.ctx)
		m.removed(h, "clear", n, err, before, "")
	}
}

// removed checks a call that removed all keys with a prefix.
func (m *model) removed(h *handle, what string, n int64, err error, before *state, prefix string) {
	inside := func(key, _ string) bool { return strings.HasPrefix(key, prefix) }
	want := len(before.values)
	maps.DeleteFunc(before.values, inside)
	want -= len(before.values)
	if m.direct(h, what, err, nil, func(s *state) { maps.DeleteFunc(s.values, inside) }) && n != int64(want) {
		m.failf("%s: %d keys, want %d", what, n, want)
	}
}

var errOwn = errors.New("the caller's own")

// update makes several changes in one transaction, or none because it fails in the end.
func (m *model) update(h *handle, t *tape) {
	a, b, value, number := m.key(t), m.key(t), m.value(t), int64(t.next(256))
	text := fmt.Sprintf("%q", a)
	rollBack := t.next(3) == 0
	var want error
	if rollBack {
		want = errOwn
	}
	err := h.v.Update(m.ctx, func(tx *kvault.Tx) error {
		if err := tx.Put(m.ctx, a, []byte("first")); err != nil {
			return err
		}
		if _, err := tx.PutReader(m.ctx, b, io.MultiReader(strings.NewReader(value)), nil); err != nil {
			return err
		}
		if _, err := tx.Delete(m.ctx, a); err != nil {
			return err
		}
		if _, err := tx.PutReader(m.ctx, "never", failingReader{}, nil); !errors.Is(err, errSource) {
			return err
		}
		if err := errors.Join(h.ints.In(tx).Append(m.ctx, number), h.texts.In(tx).Append(m.ctx, text)); err != nil {
			return err
		}
		if rollBack {
			return errOwn
		}
		return nil
	})
	m.direct(h, "update", err, want, func(s *state) {
		s.values[b] = value
		delete(s.values, a)
		s.ints, s.texts = append(s.ints, number), append(s.texts, text)
	})
}

// read makes a call that changes nothing.
func (m *model) read(h *handle, t *tape) {
	want := m.seen(h)
	if t.yes() {
		m.readKey(h, m.key(t), want)
		return
	}
	o := &kvault.ListOptions{Prefix: pick(t, []string{"", "a", "a/", "\xff", "b/long"}), Start: pick(t, []string{"", "a/", "b"}),
		End: pick(t, []string{"", "", "c", "\xff\xff"}), Reverse: t.yes(), Limit: t.next(5), Delimiter: pick(t, []string{"", "/", "b"})}
	var got []string
	for key, err := range h.v.Keys(m.ctx, o) {
		m.wantNil("list", err)
		got = append(got, key)
	}
	if keys := want.listed(o); !slices.Equal(got, keys) {
		m.failf("%+v lists %q, want %q", o, got, keys)
	}
}

// readKey reads a key in every way.
func (m *model) readKey(h *handle, key string, s *state) {
	want, there := s.values[key]
	var missing error
	if !there {
		missing = kvault.ErrNotFound
	}
	got, err := h.v.Get(m.ctx, key)
	m.wantErr("get", err, missing)
	e, err := h.v.Stat(m.ctx, key)
	m.wantErr("stat", err, missing)
	var out bytes.Buffer
	_, err = h.v.GetTo(m.ctx, key, &out)
	m.wantErr("copy", err, missing)
	if string(got) != want || e.Size != int64(len(want)) || out.String() != want {
		m.failf("%q has %d bytes by Get, %d by Stat, %d by GetTo; want %d", key, len(got), e.Size, out.Len(), len(want))
	}
	if found, err := h.v.Exists(m.ctx, key); err != nil || found != there {
		m.failf("%q exists: %t, %v", key, found, err)
	}
	off := len(want) / 3
	part, err := h.v.GetRange(m.ctx, key, int64(off), int64(len(want)/2))
	m.wantErr("get range", err, missing)
	if there && string(part) != want[off:off+len(want)/2] {
		m.failf("a range of %q has %d bytes, want %d", key, len(part), len(want)/2)
	}
}

// maintain makes a call that changes the file and not what it holds.
func (m *model) maintain(h *handle, t *tape) {
	nothing := func(*state) {}
	switch t.next(4) {
	case 0:
		m.direct(h, "optimize", h.v.Optimize(m.ctx, nil), nil, nothing)
	case 1:
		_, err := h.v.Shrink(m.ctx, time.Second)
		m.direct(h, "shrink", err, nil, nothing)
	case 2:
		_, err := h.v.Check(m.ctx, nil)
		m.direct(h, "check", err, nil, nothing)
	case 3:
		to := filepath.Join(fastDir(m.t), "copy.kv")
		if !m.direct(h, "backup", h.v.Backup(m.ctx, to, nil), nil, nothing) {
			return
		}
		copied := *m
		copied.path, copied.handles = to, nil
		copied.open()
		copied.compareAll(copied.handles[0])
		copied.close(copied.handles[0])
	}
}
