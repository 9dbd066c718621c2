package walvfs

import (
	"errors"
	"math"
	"testing"
)

func TestSyncState(t *testing.T) {
	failure := errors.New("no")
	for name, c := range map[string]struct {
		do   func(st *syncState)
		from int64 // where what may not be durable begins
		left bool  // needs repair
	}{
		"nothing is known of a log at first": {func(st *syncState) { st.wrote(500, 100) }, 0, false},
		"synced":                             {func(st *syncState) { st.finish(st.begin(), nil) }, math.MaxInt64, false},
		"written after a sync": {func(st *syncState) {
			st.wrote(0, 500)
			st.finish(st.begin(), nil)
			st.wrote(500, 100)
		}, 500, false},
		"written by others before": {func(st *syncState) {
			st.wrote(0, 500)
			st.finish(st.begin(), nil)
			st.wrote(800, 100)
		}, 500, false},
		"written during a sync": {func(st *syncState) {
			st.wrote(0, 500)
			s := st.begin()
			st.wrote(500, 100)
			st.finish(s, nil)
		}, 500, false},
		"failed": {func(st *syncState) {
			st.finish(st.begin(), nil)
			st.wrote(0, 500)
			st.finish(st.begin(), failure)
		}, 0, true},
		"another failed meanwhile": {func(st *syncState) {
			s := st.begin()
			st.finish(st.begin(), failure)
			if st.finish(s, nil) {
				t.Error("the sync counts")
			}
		}, 0, true},
		"repaired while another sync goes on": {func(st *syncState) {
			s := st.begin()
			st.finish(st.begin(), failure)
			st.finish(st.begin(), nil)
			if st.finish(s, nil) {
				t.Error("the sync counts")
			}
		}, math.MaxInt64, false},
		"a new log":                {func(st *syncState) { st.finish(st.begin(), nil); st.writing(salts{1}) }, 0, false},
		"a frame without checksum": {func(st *syncState) { st.writing(salts{1}); st.finish(st.begin(), nil); st.writing(salts{}) }, math.MaxInt64, false},
	} {
		t.Run(name, func(t *testing.T) {
			st := new(syncState)
			if c.do(st); st.from != c.from || st.needsRepair() != c.left || len(st.running) > 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// What others wrote behind the last write of this process may be what a sync that failed was for.
func TestSyncStateOfOtherWrites(t *testing.T) {
	st := new(syncState)
	st.wrote(0, 500)
	st.finish(st.begin(), nil)
	st.finish(st.begin(), errors.New("no"))
	if s := st.begin(); s.from != 500 {
		t.Errorf("written again from %d on", s.from)
	}
}
