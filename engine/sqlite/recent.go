package sqlite

import (
	"sync"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

const (
	// recentBytes bounds what is remembered where the page cache is not smaller, and recentValue each value.
	recentBytes = 8 << 20
	recentValue = 16 << 10
	// Values are remembered once so many reads have followed each other without a commit of anybody.
	recentAfter = 200
	// So many values are remembered on trial. If fewer than an eighth as many reads found one, nothing more is for recentPause reads.
	recentTrial = 2000
	recentPause = 50_000
)

// recent remembers small values that were read, for as long as nobody commits: every commit, of any process, changes the mark in
// the log's shared memory before it can be seen. The zero value remembers nothing.
type recent struct {
	marks *driver.Marks
	limit int // in bytes

	mu   sync.Mutex
	mark driver.Mark // of the state that all values are of
	// young are the values of late; when they take half of the room, they become old, and those that are old by then are forgotten.
	young, old map[string]string
	bytes      int // of young
	// reads counts down to when values are remembered, made and found how many were and how often that helped.
	reads, made, found int
}

// get appends the value of key to dst if it is remembered. With the mark that is returned, add takes what was read instead.
func (r *recent) get(dst []byte, key string) (value []byte, found bool, mark driver.Mark) {
	if r.marks == nil || r.limit == 0 {
		return nil, false, mark
	}
	mark, ok := r.marks.Latest()
	if !ok {
		return nil, false, driver.Mark{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if mark != r.mark {
		r.forget()
		r.mark = mark
	}
	if r.reads > 0 {
		r.reads--
		return nil, false, driver.Mark{}
	}
	v, found := r.young[key]
	if !found {
		if v, found = r.old[key]; found {
			r.keep(key, v)
		}
	}
	if !found {
		return nil, false, mark
	}
	r.found++
	return append(dst, v...), true, mark
}

// add remembers a value that was read in a snapshot that began after get had returned mark.
func (r *recent) add(key string, value []byte, mark driver.Mark) {
	if mark == (driver.Mark{}) || len(value) > recentValue {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if mark != r.mark || r.reads > 0 {
		return
	}
	if r.made++; r.made == recentTrial {
		if r.found < recentTrial/8 {
			r.forget()
			r.reads = recentPause
			return
		}
		r.made, r.found = 0, 0
	}
	r.keep(key, string(value))
}

func (r *recent) keep(key, value string) {
	const overhead = 64 // of an entry of a map, about
	r.bytes += len(key) + len(value) + overhead
	if r.bytes > r.limit/2 {
		r.old, r.young, r.bytes = r.young, nil, len(key)+len(value)+overhead
	}
	if r.young == nil {
		r.young = make(map[string]string)
	}
	r.young[key] = value
}

func (r *recent) forget() {
	r.young, r.old, r.bytes = nil, nil, 0
	r.reads, r.made, r.found = recentAfter, 0, 0
}

func (r *recent) close() error {
	if r.marks == nil {
		return nil
	}
	return r.marks.Close()
}
