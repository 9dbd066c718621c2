package cli

import (
	"strconv"
	"sync"
	"testing"
)

// Of several that change the metadata of a key at once each keeps what the others set.
func TestMetaAtOnce(t *testing.T) {
	s := newSession(t)
	s.must("x", "put", "k")
	const writers = 8
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			o := s.run("", "meta", "k", "--set", "n"+strconv.Itoa(i)+"=1")
			if o.code != 0 {
				t.Errorf("exit code %d: %s", o.code, o.err)
			}
		})
	}
	all.Wait()
	for i := range writers {
		s.must("", "meta", "k", "n"+strconv.Itoa(i))
	}
}
