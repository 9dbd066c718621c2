package mem

import (
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/enginetest"
)

// kept is a store that leaves its content to the next one of the same folder, so that the
// persistence tests have a reference to pass too.
type kept struct {
	*Store
	disk map[string]*state
	dir  string
}

func (k *kept) Close() error {
	k.disk[k.dir] = k.state.Load()
	return k.Store.Close()
}

func TestPersistence(t *testing.T) {
	disk := map[string]*state{}
	enginetest.RunPersistent(t, func(_ *testing.T, dir string) engine.Store {
		s := New()
		if last := disk[dir]; last != nil {
			s.state.Store(last)
		}
		return &kept{s, disk, dir}
	})
}
