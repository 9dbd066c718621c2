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

// keptSingle is kept for a Single, with the ids of its commits.
type keptSingle struct {
	*Single
	disk map[string]*keptSingle
	dir  string
}

func (k *keptSingle) Close() error {
	k.disk[k.dir] = k
	return k.Single.Close()
}

func TestSinglePersistence(t *testing.T) {
	disk := map[string]*keptSingle{}
	enginetest.RunPersistent(t, func(_ *testing.T, dir string) engine.Store {
		s := NewSingle(nil)
		if last := disk[dir]; last != nil {
			s.store.state.Store(last.store.state.Load())
			s.commits = last.commits
		}
		return &keptSingle{s, disk, dir}
	})
}
