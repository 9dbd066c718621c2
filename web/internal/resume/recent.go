package resume

import (
	"sync"

	"github.com/tus/tusd/v2/pkg/handler"
)

// published is an upload that has become a value.
type published struct {
	id, key, etag string
	size          int64
}

func (p *published) info() handler.FileInfo {
	return handler.FileInfo{ID: p.id, Size: p.size, Offset: p.size}
}

// manyRecent is how many uploads a server remembers after it has published them. Their keys can
// take 64 KiB each.
const manyRecent = 256

// recent are the uploads that were published last. A client that did not get the answer to its last
// byte asks for the offset, and would send everything again if there were no such upload.
type recent struct {
	mu   sync.Mutex
	byID map[string]*published
	ids  [manyRecent]string // as a ring
	next int
}

func newRecent() *recent { return &recent{byID: map[string]*published{}} }

func (r *recent) add(p *published) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byID, r.ids[r.next])
	r.byID[p.id], r.ids[r.next] = p, p.id
	r.next = (r.next + 1) % manyRecent
}

func (r *recent) find(id string) (*published, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.byID[id]
	return p, ok
}
