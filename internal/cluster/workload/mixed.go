package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"github.com/kohakuvault/kvault"
)

// Mixed has writers that put new versions of their own keys, and readers that check what they find.
type Mixed struct {
	// Prefix begins all keys. Writers have Keys keys each.
	Prefix                 string
	Writers, Readers, Keys int
	// MaxSize is that of the largest value: one in 16 has a size up to this, others up to 4 KiB. One
	// in 8 is streamed.
	MaxSize int
	Report

	histories map[string]*history
}

// history says which versions of a key a reader may find. The key has one writer, which numbers its
// versions from 1 on.
type history struct{ begun, acked atomic.Uint64 }

// check holds what a reader found against the versions acknowledged before it began.
func (h *history) check(key string, version, floor uint64) error {
	if version < floor || version > h.begun.Load() {
		return fmt.Errorf("%s has version %d, where %d was acknowledged and %d begun", key, version,
			floor, h.begun.Load())
	}
	return nil
}

// Run goes on until ctx ends, and returns when all calls have returned.
func (m *Mixed) Run(ctx context.Context, v Vault) {
	m.histories = map[string]*history{}
	keys := make([]string, 0, m.Writers*m.Keys)
	for i := range m.Writers {
		for k := range m.Keys {
			keys = append(keys, m.key(i, k))
			m.histories[m.key(i, k)] = &history{}
		}
	}
	parallel(m.Writers+m.Readers, func(i int) {
		for ctx.Err() == nil {
			if i < m.Writers {
				m.write(ctx, v, m.key(i, rand.N(m.Keys)))
			} else {
				m.look(ctx, v, keys[rand.N(len(keys))])
			}
		}
	})
}

func (m *Mixed) key(writer, n int) string { return fmt.Sprintf("%s%d/%d", m.Prefix, writer, n) }

func (m *Mixed) write(ctx context.Context, v Vault, key string) {
	h := m.histories[key]
	version := h.begun.Add(1)
	size := rand.N(4 << 10)
	if rand.N(16) == 0 {
		size = rand.N(m.MaxSize)
	}
	err := m.call(ctx, func(ctx context.Context) error {
		if rand.N(8) == 0 {
			_, err := v.PutReader(ctx, key, newSource(key, version, int64(size)), nil)
			return err
		}
		return v.Put(ctx, key, newValue(key, version, size))
	})
	if err == nil {
		h.acked.Store(version)
	}
}

// look reads one key, and reports whether it could.
func (m *Mixed) look(ctx context.Context, v Vault, key string) bool {
	h := m.histories[key]
	floor := h.acked.Load()
	var value []byte
	err := m.read(ctx, func(ctx context.Context) (err error) {
		value, err = v.Get(ctx, key)
		return err
	}, notFound...)
	switch {
	case errors.Is(err, kvault.ErrNotFound):
		if floor > 0 {
			m.wrong("%s is missing, where version %d was acknowledged", key, floor)
		}
		return true
	case errors.Is(err, kvault.ErrCorrupt):
		m.wrong("%v", err)
		return true
	case err != nil:
		return false
	}
	version, err := checkValue(key, value)
	if err == nil {
		err = h.check(key, version, floor)
	}
	if err != nil {
		m.wrong("%s: %v", key, err)
	}
	return true
}

// Verify reads every key again, and compares a listing with what must be there. It is called when
// all faults have ended.
func (m *Mixed) Verify(ctx context.Context, v Vault) error {
	listed := map[string]bool{}
	for key, err := range v.Keys(ctx, &kvault.ListOptions{Prefix: m.Prefix}) {
		if err != nil {
			return err
		}
		if listed[key] {
			m.wrong("%s is listed twice", key)
		}
		listed[key] = true
	}
	unread := 0
	for key, h := range m.histories {
		if !m.look(ctx, v, key) {
			unread++
		}
		if h.acked.Load() > 0 && !listed[key] {
			m.wrong("%s is not listed", key)
		}
	}
	if unread > 0 {
		return fmt.Errorf("%d keys could not be read", unread)
	}
	return nil
}
