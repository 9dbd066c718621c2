package driver

import (
	"math"
	"slices"
	"sync"
)

// trust is what this process knows of the syncs of a log. After one that failed the system may take for written what it could not write, as Linux
// does: no later sync makes up for it, of whatever connection.
type trust struct {
	mu       sync.Mutex
	failures int  // how many syncs failed
	failed   bool // says that one did, and that the log was not written again since
	// salts are those of the log that the rest is about.
	salts salts
	// from is where the first write is that may not be durable, end where the last write ended. What others wrote lies behind end, and counts as not
	// durable.
	from, end int64
	running   []*pendingSync
}

// pendingSync is a sync that goes on.
type pendingSync struct {
	failed   bool // before it began
	failures int
	salts    salts
	from     int64
	since    int64 // where the first write was since it began
}

// salts tell a log from the one before it in the same file.
type salts [8]byte

// trusts are by the path of the log. One goes with the file.
var trusts sync.Map

func trustIn(path string) *trust {
	t, _ := trusts.LoadOrStore(path, new(trust))
	return t.(*trust)
}

// begins notes which log is written. Of one that is new to this process nothing is known.
func (t *trust) begins(s salts) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.salts != s && s != (salts{}) { // a frame has none whose checksum is still to come
		t.salts, t.end = s, 0
		t.changed(0)
	}
}

// wrote notes a write of n bytes at off.
func (t *trust) wrote(off int64, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changed(min(off, t.end))
	t.end = max(t.end, off+int64(n))
}

func (t *trust) changed(off int64) {
	t.from = min(t.from, off)
	for _, s := range t.running {
		s.since = min(s.since, off)
	}
}

// distrusted says whether a sync failed and was not made up for.
func (t *trust) distrusted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// begin begins a sync. What lies behind the end is of others, who may count on this sync for it.
func (t *trust) begin() *pendingSync {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &pendingSync{t.failed, t.failures, t.salts, min(t.from, t.end), math.MaxInt64}
	t.running = append(t.running, s)
	return s
}

// drop ends a sync that did not take place.
func (t *trust) drop(s *pendingSync) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended(s)
}

func (t *trust) ended(s *pendingSync) {
	t.running = slices.DeleteFunc(t.running, func(other *pendingSync) bool { return other == s })
}

// finish ends a sync, and says whether what was written before is durable: it is not if another sync failed meanwhile.
func (t *trust) finish(s *pendingSync, err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended(s)
	if err != nil {
		t.failed = true
		t.failures++
	}
	if t.failures != s.failures {
		return false
	}
	t.failed, t.from = false, max(t.from, s.since)
	return true
}
