package thumb

import (
	"container/list"
	"sync"
)

// cache keeps the thumbnails that were used last, and knows which are being made.
type cache struct {
	mu       sync.Mutex
	capacity int
	size     int
	recent   *list.List // of item, the one used last in front
	items    map[id]*list.Element
	making   map[id]chan struct{}
}

type item struct {
	id id
	thumbnail
}

// size is what an item takes in memory, about.
func (i item) size() int { return 512 + len(i.id.key) + len(i.data) }

func newCache(capacity int) *cache {
	return &cache{capacity: capacity, recent: list.New(),
		items: map[id]*list.Element{}, making: map[id]chan struct{}{}}
}

// get returns a thumbnail if it is there. If someone else is making it, made is closed once that
// has ended. If made is nil, the caller makes it, and calls done after that.
func (c *cache) get(of id) (t thumbnail, found bool, made <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.items[of]; e != nil {
		c.recent.MoveToFront(e)
		return e.Value.(item).thumbnail, true, nil
	}
	if made := c.making[of]; made != nil {
		return thumbnail{}, false, made
	}
	c.making[of] = make(chan struct{})
	return thumbnail{}, false, nil
}

// done tells those who wait to look again.
func (c *cache) done(of id) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.making[of])
	delete(c.making, of)
}

// put adds a thumbnail that is not there, and drops those that were not used for longest.
func (c *cache) put(of id, t thumbnail) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := item{of, t}
	c.items[of] = c.recent.PushFront(i)
	c.size += i.size()
	for c.size > c.capacity {
		oldest := c.recent.Remove(c.recent.Back()).(item)
		delete(c.items, oldest.id)
		c.size -= oldest.size()
	}
}
