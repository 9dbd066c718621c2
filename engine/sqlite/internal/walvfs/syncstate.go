package walvfs

import (
	"math"
	"slices"
	"sync"
)

// syncState is what this process knows of the syncs of a log. After a failed sync Linux marks the
// pages clean that it could not write: a later sync, of any connection, succeeds without writing
// them.
type syncState struct {
	mu       sync.Mutex
	failures int  // the number of syncs that failed
	failed   bool // a sync failed, and the log was not repaired since
	// salts are those of the log that the rest is about.
	salts salts
	// from is the offset of the first write that may not be durable, end that of the end of the
	// last write. What other processes wrote lies behind end, and counts as not durable.
	from, end int64
	running   []*pendingSync
}

// pendingSync is a sync that has not ended.
type pendingSync struct {
	failed   bool // the log needed repair before the sync began
	failures int
	salts    salts
	from     int64
	since    int64 // the offset of the first write since it began
}

// salts tell a log from the one before it in the same file.
type salts [8]byte

// syncStates are the states by the paths of the logs. All connections of the process share them: a
// sync of one connection covers, or loses, what another one wrote.
var syncStates sync.Map

func syncStateOf(path string) *syncState {
	t, _ := syncStates.LoadOrStore(path, new(syncState))
	return t.(*syncState)
}

// forgetSyncs forgets the state of a log whose file lost its name.
func forgetSyncs(path string) { syncStates.Delete(path) }

// writing notes the salts of the log that is written. Of a log that is new to this process nothing
// is known to be durable.
func (t *syncState) writing(s salts) {
	t.mu.Lock()
	defer t.mu.Unlock()
	// SQLite writes zeros where the checksum of a frame is still to come.
	if t.salts != s && s != (salts{}) {
		t.salts, t.end = s, 0
		t.changed(0)
	}
}

// wrote notes a write of n bytes at off.
func (t *syncState) wrote(off int64, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changed(min(off, t.end))
	t.end = max(t.end, off+int64(n))
}

func (t *syncState) changed(off int64) {
	t.from = min(t.from, off)
	for _, s := range t.running {
		s.since = min(s.since, off)
	}
}

// needsRepair says whether a sync failed and the log was not repaired since.
func (t *syncState) needsRepair() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// begin begins a sync. It covers what other processes wrote behind the end, too.
func (t *syncState) begin() *pendingSync {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &pendingSync{t.failed, t.failures, t.salts, min(t.from, t.end), math.MaxInt64}
	t.running = append(t.running, s)
	return s
}

// drop ends a sync that did not take place.
func (t *syncState) drop(s *pendingSync) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended(s)
}

func (t *syncState) ended(s *pendingSync) {
	t.running = slices.DeleteFunc(t.running, func(other *pendingSync) bool { return other == s })
}

// finish ends a sync, and says whether what was written before it is durable, which it is not if
// another sync failed meanwhile.
func (t *syncState) finish(s *pendingSync, err error) bool {
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
