package reliability

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/kohakuvault/kvault"
)

// state is what a vault ought to hold.
type state struct {
	values map[string]string
	ints   []int64
	texts  []string
	fixed  []string
}

func newState() *state { return &state{values: map[string]string{}} }

func (s *state) clone() *state {
	return &state{maps.Clone(s.values), slices.Clone(s.ints), slices.Clone(s.texts), slices.Clone(s.fixed)}
}

func (s *state) compareValues(m *model, got map[string]string) {
	m.t.Helper()
	if maps.Equal(got, s.values) {
		return
	}
	for key, want := range s.values {
		if value, there := got[key]; value != want {
			m.failf("%q (%t) has %d bytes, want %d", key, there, len(value), len(want))
		}
	}
	for key := range got {
		if _, there := s.values[key]; !there {
			m.failf("%q is there", key)
		}
	}
}

// listed is what a listing of s ought to show.
func (s *state) listed(o *kvault.ListOptions) (keys []string) {
	folders := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(s.values)) {
		if !strings.HasPrefix(key, o.Prefix) || key < o.Start || o.End != "" && key >= o.End {
			continue
		}
		if o.Delimiter != "" {
			if before, _, found := strings.Cut(key[len(o.Prefix):], o.Delimiter); found {
				key = o.Prefix + before + o.Delimiter
				if folders[key] {
					continue
				}
				folders[key] = true
			}
		}
		keys = append(keys, key)
	}
	if o.Reverse {
		slices.Reverse(keys)
	}
	if o.Limit > 0 {
		keys = keys[:min(o.Limit, len(keys))]
	}
	return keys
}

func (m *model) wantNil(what string, err error) {
	m.t.Helper()
	if err != nil {
		m.failf("%s: %v", what, err)
	}
}

// wantErr fails unless err is want, which may be nil.
func (m *model) wantErr(what string, err, want error) {
	m.t.Helper()
	if !errors.Is(err, want) {
		m.failf("%s: %v, want %v", what, err, want)
	}
}

// cached notes a change that may stay in the cache of h, after a call that returned err.
func (m *model) cached(h *handle, what string, err error, change func(*state)) {
	m.t.Helper()
	if h.unlock != nil && errors.Is(err, kvault.ErrBusy) {
		return // it did not fit, and changed nothing
	}
	if err != nil {
		m.failf("%s: %v", what, err)
		return
	}
	stats := h.v.CacheStats()
	if stats.Flushes > h.flushes {
		m.write(h) // all that came before, if this change is not among it
	}
	h.pending = append(h.pending, change)
	m.noteFlushes(h)
}

// direct notes a change that goes to the file, and with it all that is pending. It reports false if
// the cache is locked, which must make such calls fail.
func (m *model) direct(h *handle, what string, err, want error, change func(*state)) bool {
	m.t.Helper()
	if h.unlock != nil {
		m.wantErr(what+" with a locked cache", err, kvault.ErrBusy)
		return false
	}
	m.wantErr(what, err, want)
	m.write(h)
	if err == nil {
		change(m.stored)
	}
	m.noteFlushes(h)
	return true
}
