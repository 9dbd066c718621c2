package driver

import (
	"errors"
	"math"
	"testing"
)

func TestTrust(t *testing.T) {
	failure := errors.New("no")
	for name, c := range map[string]struct {
		do   func(tr *trust)
		from int64 // where what may not be durable begins
		left bool  // distrusted
	}{
		"nothing is known of a log at first": {func(tr *trust) { tr.wrote(500, 100) }, 0, false},
		"synced":                             {func(tr *trust) { tr.finish(tr.begin(), nil) }, math.MaxInt64, false},
		"written after a sync": {func(tr *trust) {
			tr.wrote(0, 500)
			tr.finish(tr.begin(), nil)
			tr.wrote(500, 100)
		}, 500, false},
		"written by others before": {func(tr *trust) {
			tr.wrote(0, 500)
			tr.finish(tr.begin(), nil)
			tr.wrote(800, 100)
		}, 500, false},
		"written during a sync": {func(tr *trust) {
			tr.wrote(0, 500)
			s := tr.begin()
			tr.wrote(500, 100)
			tr.finish(s, nil)
		}, 500, false},
		"failed": {func(tr *trust) {
			tr.finish(tr.begin(), nil)
			tr.wrote(0, 500)
			tr.finish(tr.begin(), failure)
		}, 0, true},
		"another failed meanwhile": {func(tr *trust) {
			s := tr.begin()
			tr.finish(tr.begin(), failure)
			if tr.finish(s, nil) {
				t.Error("the sync counts")
			}
		}, 0, true},
		"mended while another sync goes on": {func(tr *trust) {
			s := tr.begin()
			tr.finish(tr.begin(), failure)
			tr.finish(tr.begin(), nil)
			if tr.finish(s, nil) {
				t.Error("the sync counts")
			}
		}, math.MaxInt64, false},
		"a new log":                {func(tr *trust) { tr.finish(tr.begin(), nil); tr.begins(salts{1}) }, 0, false},
		"a frame without checksum": {func(tr *trust) { tr.begins(salts{1}); tr.finish(tr.begin(), nil); tr.begins(salts{}) }, math.MaxInt64, false},
	} {
		t.Run(name, func(t *testing.T) {
			tr := new(trust)
			if c.do(tr); tr.from != c.from || tr.distrusted() != c.left || len(tr.running) > 0 {
				t.Errorf("%+v", tr)
			}
		})
	}
}

// What others wrote behind the last write of this process may be what a sync that failed was for.
func TestTrustOfOthersWrites(t *testing.T) {
	tr := new(trust)
	tr.wrote(0, 500)
	tr.finish(tr.begin(), nil)
	tr.finish(tr.begin(), errors.New("no"))
	if s := tr.begin(); s.from != 500 {
		t.Errorf("written again from %d on", s.from)
	}
}
